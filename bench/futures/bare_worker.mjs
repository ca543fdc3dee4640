/** Runs one task for each message and answers with its result. */
import * as tasks from "./tasks.mjs";

self.onmessage = ({ data: { name, value } }) => self.postMessage(tasks[name](value));
