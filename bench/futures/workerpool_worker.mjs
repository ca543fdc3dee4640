// @ts-ignore: the benchmark installs the package
import workerpool from "workerpool";
import * as tasks from "./tasks.mjs";

workerpool.worker({ ...tasks });
