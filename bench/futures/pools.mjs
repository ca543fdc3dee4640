/**
 * The pools that `measure.mjs` compares, behind one interface: each function opens a pool of `size`
 * workers, which has the method `run(task, value)`.
 */
import { fileURLToPath } from "node:url";

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const TASKS = new URL("tasks.mjs", import.meta.url).href;

export async function futures(size) {
  const { WorkerPoolExecutor } = await import("../../futures/mod.ts");
  const executor = new WorkerPoolExecutor(TASKS, { maxWorkers: size });
  return {
    run: (task, value) => executor.submit(task, value).result(),
    map: (task, values) => Array.fromAsync(executor.map(task, values, { chunkSize: 100 })),
  };
}

/** Sends a worker its next message when the worker has answered the last one. */
export async function messages(size) {
  const { Queue } = await import("../../futures/future.ts");
  const open = () => new Worker(new URL("bare_worker.mjs", import.meta.url), { type: "module" });
  const idle = Array.from({ length: size }, open);
  const queue = new Queue();

  function send() {
    while (idle.length > 0 && queue.size > 0) {
      const worker = idle.pop();
      const { message, resolve } = queue.shift();
      worker.onmessage = ({ data }) => {
        idle.push(worker);
        send();
        resolve(data);
      };
      worker.postMessage(message);
    }
  }

  function run({ name }, value) {
    const { promise, resolve } = Promise.withResolvers();
    queue.push({ message: { name, value }, resolve });
    send();
    return promise;
  }

  return { run };
}

export async function piscina(size) {
  const { Piscina } = await import("piscina");
  const pool = new Piscina({ filename: TASKS, minThreads: size, maxThreads: size });
  return { run: ({ name }, value) => pool.run(value, { name }) };
}

export async function workerpool(size) {
  const { default: workerpool } = await import("workerpool");
  const options = { minWorkers: size, maxWorkers: size };
  const pool = workerpool.pool(pathOf("workerpool_worker.mjs"), options);
  return { run: ({ name }, value) => pool.exec(name, [value]) };
}

export async function poolifier(size) {
  const { FixedThreadPool } = await import("poolifier");
  const pool = new FixedThreadPool(size, pathOf("poolifier_worker.mjs"));
  return { run: ({ name }, value) => pool.execute(value, name) };
}
