import * as tasks from "./tasks.mjs";

self.onmessage = ({ data: [name, value] }) => self.postMessage(tasks[name](value));
