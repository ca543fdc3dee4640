/**
 * What runs inside each worker of a `WorkerPoolExecutor`: it loads the module, runs the tasks one at a
 * time, and tells the pool before it ends, for a worker that ends tells its parent nothing.
 *
 * @module
 */

import { builtInError, isUncloneable, QUICK } from "./futures.ts";

/** The first message to a worker. */
export interface Start {
  module: string;
  port: MessagePort;
  gates: Int32Array;
}

/** A task: `fn(...item)` or `fn(item)` for each item. With a gate it is an offer, see `futures.ts`. */
export interface Call {
  name: string;
  items: unknown[];
  spread: boolean;
  gate?: number | undefined;
}

/** What became of a task: the values up to the first error. Without `values`, none had begun. */
export interface Reply {
  values: unknown[] | undefined;
  quick: boolean;
  thrown?: Thrown | undefined;
  ended?: { reason: string; broken: boolean };
}

/** A value that was thrown, or an error taken apart: a clone would lose its class and its name. */
export type Thrown = { value: unknown } | {
  type: string;
  name: string;
  message: string;
  stack: string | undefined;
  own: [string, unknown][];
  cause: Thrown | undefined;
};

self.addEventListener(
  "message",
  (event) => serve((event as MessageEvent<Start>).data),
  { once: true },
);

function serve({ module, port, gates }: Start): void {
  const { close } = self;
  const { exit } = Deno;
  let exports: Record<string, unknown> | undefined;
  let values: unknown[] | undefined;
  let quick = false;
  let ended = false;

  function reply(message: Reply): void {
    try {
      port.postMessage(message);
    } catch (error) {
      const bad = message.values?.findIndex(isUncloneable) ?? -1;
      if (bad >= 0) message.values?.splice(bad);
      port.postMessage({ ...message, thrown: pack(error) });
    }
  }

  function end(reason: string, thrown?: Thrown): void {
    if (ended) return;
    ended = true;
    reply({ values, quick: false, thrown, ended: { reason, broken: !exports } });
    close.call(self);
  }

  async function run({ name, items, spread, gate }: Call): Promise<void> {
    if (gate !== undefined && (!quick || Atomics.exchange(gates, gate, 1) === 1)) return;
    const began = performance.now();
    let thrown: Thrown | undefined;
    values = [];
    try {
      const fn = exports?.[name];
      if (typeof fn !== "function") {
        throw new TypeError(`${name || "a function without a name"} is not exported by ${module}`);
      }
      for (const item of items) values.push(await (spread ? fn(...item as unknown[]) : fn(item)));
    } catch (error) {
      thrown = pack(error);
    }
    quick = performance.now() - began < QUICK;
    // A promise that was rejected and left behind is noticed before this is over; the last item is blamed.
    const last = values.splice(-1);
    await new Promise((resolve) => setImmediate(resolve));
    if (ended) return;
    values.push(...last);
    reply({ values, quick, thrown });
    values = undefined;
  }

  self.close = () => end("it called self.close()");
  Object.assign(Deno, {
    exit(code?: number): never {
      end(`it called Deno.exit(${code ?? ""})`);
      return exit(code);
    },
  });
  self.addEventListener("error", (event) => {
    event.preventDefault();
    end("an error was not caught", pack(event.error));
  });
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    end("a rejected promise was not handled", pack(event.reason));
  });

  let last = import(module).then(
    (namespace) => exports = namespace,
    (error) => end(`${error?.message ?? error}`, pack(error)),
  );
  port.onmessage = ({ data }) => last = last.then(() => run(data));
}

function pack(thrown: unknown, depth = 0): Thrown {
  if (!(thrown instanceof Error) || depth > 9) return { value: thrown };
  let type = thrown.constructor;
  while (builtInError(type.name) !== type) type = Object.getPrototypeOf(type);
  const { name, message, stack, cause } = thrown;
  const own = Object.entries(Object.getOwnPropertyDescriptors(thrown))
    .filter(([key]) => !["name", "message", "stack", "cause"].includes(key))
    .map(([key, { value }]): [string, unknown] => [key, value])
    .filter(([, value]) => !isUncloneable(value));
  const hasCause = cause instanceof Error || (cause !== undefined && !isUncloneable(cause));
  const packed = { type: type.name, name, message, stack, own };
  return { ...packed, cause: hasCause ? pack(cause, depth + 1) : undefined };
}
