// @ts-ignore: the benchmark installs it
import workerpool from "workerpool";
import { noop, spin } from "./tasks.mjs";

workerpool.worker({ noop, spin });
