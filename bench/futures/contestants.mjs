/**
 * The pools that `measure.mjs` compares, behind one interface.
 *
 * Each function loads its package and returns a function that opens a pool of `size` workers. A pool
 * has the methods `run(task, value)` and `close()`. Pools that can send several items in one message
 * also have `map(task, values)`.
 */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const TASKS = new URL("tasks.mjs", import.meta.url).href;
const BARE_WORKER = new URL("bare_worker.mjs", import.meta.url).href;
const WORKERPOOL_WORKER = fileURLToPath(new URL("workerpool_worker.mjs", import.meta.url));
const POOLIFIER_WORKER = fileURLToPath(new URL("poolifier_worker.mjs", import.meta.url));
const CHUNK_SIZE = 100;

async function thisPool() {
  const { WorkerPoolExecutor } = await import("../../futures/mod.ts");
  return (size) => {
    const executor = new WorkerPoolExecutor(TASKS, { maxWorkers: size });
    return {
      run: (task, value) => executor.submit(task, value).result(),
      map: (task, values) => Array.fromAsync(executor.map(task, values, { chunkSize: CHUNK_SIZE })),
      close: () => executor.shutdown(),
    };
  };
}

/** Sends every message at once, to each worker in turn. */
class BareMessages {
  #workers = [];
  #turn = 0;

  constructor(size) {
    for (let i = 0; i < size; i++) {
      const worker = new Worker(BARE_WORKER, { type: "module" });
      const waiting = [];
      worker.onmessage = ({ data }) => {
        const resolve = waiting.shift();
        resolve(data);
      };
      this.#workers.push({ worker, waiting });
    }
  }

  run({ name }, value) {
    const { worker, waiting } = this.#workers[this.#turn];
    this.#turn = (this.#turn + 1) % this.#workers.length;
    return new Promise((resolve) => {
      waiting.push(resolve);
      worker.postMessage({ name, value });
    });
  }

  close() {
    for (const { worker } of this.#workers) worker.terminate();
  }
}

/** Sends a worker its next message when the worker has answered the last one. */
class OrderedMessages {
  #workers = [];
  #idle = [];
  #queue = [];
  /** The index in the queue of the next message to send. */
  #next = 0;

  constructor(size) {
    for (let i = 0; i < size; i++) {
      const worker = new Worker(BARE_WORKER, { type: "module" });
      const state = { worker, resolve: undefined };
      worker.onmessage = ({ data }) => {
        const { resolve } = state;
        this.#idle.push(state);
        this.#send();
        resolve(data);
      };
      this.#workers.push(state);
      this.#idle.push(state);
    }
  }

  run({ name }, value) {
    return new Promise((resolve) => {
      this.#queue.push({ message: { name, value }, resolve });
      this.#send();
    });
  }

  #send() {
    while (this.#idle.length > 0 && this.#next < this.#queue.length) {
      const state = this.#idle.pop();
      const { message, resolve } = this.#queue[this.#next];
      this.#next += 1;
      state.resolve = resolve;
      state.worker.postMessage(message);
    }
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    }
  }

  close() {
    for (const { worker } of this.#workers) worker.terminate();
  }
}

async function piscina() {
  const { Piscina } = await import("piscina");
  return (size) => {
    const pool = new Piscina({ filename: TASKS, minThreads: size, maxThreads: size });
    return {
      run: ({ name }, value) => pool.run(value, { name }),
      close: () => pool.destroy(),
    };
  };
}

async function tinypool() {
  const { Tinypool } = await import("tinypool");
  return (size) => {
    const pool = new Tinypool({ filename: TASKS, minThreads: size, maxThreads: size });
    return {
      run: ({ name }, value) => pool.run(value, { name }),
      close: () => pool.destroy(),
    };
  };
}

async function workerpool() {
  const { default: workerpool } = await import("workerpool");
  return (size) => {
    const pool = workerpool.pool(WORKERPOOL_WORKER, { minWorkers: size, maxWorkers: size });
    return {
      run: ({ name }, value) => pool.exec(name, [value]),
      close: () => pool.terminate(),
    };
  };
}

async function poolifier() {
  const { FixedThreadPool } = await import("poolifier");
  return (size) => {
    const pool = new FixedThreadPool(size, POOLIFIER_WORKER);
    return {
      run: ({ name }, value) => pool.execute(value, name),
      // destroy() sometimes misses the end of a worker and would then wait forever.
      close: () => Promise.race([pool.destroy(), setTimeout(200)]),
    };
  };
}

export const contestants = {
  "this pool": thisPool,
  "messages, in order": () => (size) => new OrderedMessages(size),
  "messages, all at once": () => (size) => new BareMessages(size),
  Piscina: piscina,
  tinypool,
  workerpool,
  poolifier,
};
