// @ts-ignore: the benchmark installs the package
import { ThreadWorker } from "poolifier";
import * as tasks from "./tasks.mjs";

export default new ThreadWorker({ ...tasks });
