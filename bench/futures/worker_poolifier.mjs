// @ts-ignore: the benchmark installs it
import { ThreadWorker } from "poolifier";
import { noop, spin } from "./tasks.mjs";

export default new ThreadWorker({ noop, spin });
