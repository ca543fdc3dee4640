/** The tests of whole programs, each beside a copy of `futures/`. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PROGRAM, testSideBySide } from "../testing.ts";
import { futuresFiles, runBesideCopy } from "./copy.ts";
import { TASKS_URL } from "./helpers.ts";
import { crashes } from "./pool_tasks.ts";

/** The start of every program. A timer ends the program if it hangs. */
const prelude = `
  import { WorkerPoolExecutor } from "./futures/mod.ts";
  import * as tasks from "${TASKS_URL}";
  export const square = (n: number) => n * n;
  export const slowSquare = async (n: number) => {
    await tasks.sleep(1000);
    return n * n;
  };
  export const fail = () => {
    throw new Error("nobody reads this");
  };
  export const computeForever = (started: Int32Array) => {
    tasks.tick(started);
    while (true);
  };
  const newPool = (module = import.meta.url) => new WorkerPoolExecutor(module, { maxWorkers: 2 });
  Deno.unrefTimer(setTimeout(() => Deno.exit(99), 30_000));
`;

/** Programs, and what they print. */
const programs: Record<string, [source: string, stdout: string]> = {
  "a task that kills its worker prints nothing and does not end the program": [
    `await using executor = newPool("${TASKS_URL}");
    for (const [n, kind] of Object.keys(tasks.crashes).entries()) {
      const error = await executor.submit(tasks.crash, kind).exception();
      console.log(n, error.name);
    }`,
    Object.keys(crashes).map((_, n) => `${n} WorkerCrashError\n`).join(""),
  ],
  "a failure that nobody reads does not end the program": [
    `if (import.meta.main) {
      await using executor = newPool();
      executor.submit(fail);
      executor.map(fail, [1, 2, 3]);
      executor.map(fail, [1, 2, 3], { ordered: false, timeout: 1 });
      executor.submit(() => 1);
    }`,
    "",
  ],
  "a program that does not shut its pool down ends about a second later": [
    `if (import.meta.main) {
      console.log(await newPool().submit(square, 3).result());
      const end = performance.now();
      addEventListener("unload", () => console.log(performance.now() - end > 500));
    }`,
    "9\ntrue\n",
  ],
  "a program that runs in a worker may open a pool": [
    `if (import.meta.main && import.meta.url.endsWith("?inner")) {
      await using executor = newPool();
      for await (const n of executor.map(square, [3, 1, 2])) console.log(n);
      self.close();
    } else if (import.meta.main) {
      new Worker(import.meta.url + "?inner", { type: "module" });
    }`,
    "9\n1\n4\n",
  ],
  "only Deno.exit() ends a program whose task computes forever, after terminateWorkers()": [
    `if (import.meta.main) {
      const executor = newPool();
      const started = tasks.shared();
      const future = executor.submit(computeForever, started);
      while (started[0] === 0) await tasks.sleep();
      await executor.terminateWorkers();
      console.log((await future.exception()).name);
      Deno.exit();
    }`,
    "WorkerCrashError\n",
  ],
  "terminateWorkers() lets a program end at once": [
    `if (import.meta.main) {
      const executor = newPool();
      executor.map((await import("${TASKS_URL}")).sleep, [1e9, 1e9, 1e9]);
      await executor.terminateWorkers();
      console.log("terminated");
    }`,
    "terminated\n",
  ],
};

/** Main programs without `if (import.meta.main)`, which every worker runs again. */
const unguarded = {
  "top-level await": `
    await using executor = newPool();
    console.log(await executor.submit(square, 3).result());`,
  "a top-level loop": `
    for await (const n of newPool().map(square, [1, 2, 3])) console.log(n);`,
  "an un-awaited main()": `
    async function main() {
      await using executor = newPool();
      console.log(await executor.submit(square, 3).result());
    }
    main();`,
  "a main() that catches its errors": `
    async function main() {
      const executor = newPool();
      try {
        for await (const n of executor.map(square, [1, 2, 3])) console.log(n);
      } catch {
        await executor.shutdown().catch(() => {});
      }
    }
    main().catch(() => {});`,
  "an un-awaited main() that awaits something else first": `
    async function main() {
      await tasks.sleep(100);
      await using executor = newPool();
      for await (const n of executor.map(slowSquare, [1, 2, 3, 4])) console.log(n);
    }
    main();`,
  "an un-awaited main() that awaits something else first and catches its errors": `
    async function main() {
      await Promise.all([tasks.sleep(100), Deno.readTextFile(new URL(import.meta.url))]);
      const executor = newPool();
      const futures = [1, 2, 3, 4].map((n) => executor.submit(slowSquare, n));
      for (const future of futures) console.log(await future.result());
    }
    main().catch(() => {});`,
  "a timer": `
    setTimeout(() => {
      const executor = newPool();
      const print = (n: number) => console.log(n);
      for (const n of [1, 2, 3]) executor.submit(slowSquare, n).result().then(print, () => {});
    }, 100);`,
  "bare calls": `
    const executor = newPool();
    executor.submit(square, 3);
    executor.map(square, [1, 2, 3]);`,
  "bare calls that catch their errors": `
    try {
      newPool().submit(square, 3).result().catch(() => {});
    } catch {}`,
};

const cases: Record<string, () => Promise<void>> = {};

for (const [title, [source, stdout]] of Object.entries(programs)) {
  cases[title] = async () => {
    assertEquals(await runBesideCopy(prelude + source), { code: 0, stdout, stderr: "" });
  };
}

for (const [title, source] of Object.entries(unguarded)) {
  cases[`without a guard, ${title}: the program ends at once, with the advice`] = async () => {
    const { code, stdout, stderr } = await runBesideCopy(prelude + source);
    assertEquals([code, stdout], [1, ""], stderr);
    assertStringIncludes(stderr, "import.meta.main");
    assert(!/cannot load|failed to load/.test(stderr), stderr);
  };
}

cases["an error that is logged between two tasks names the task that ran last"] = async () => {
  const source = `
    export const leaveTimer = () => { setTimeout(() => self.close()); };
    if (import.meta.main) {
      await using executor = newPool();
      console.log(await executor.submit(leaveTimer).result());
      await tasks.sleep(200);
      console.log(await executor.submit(square, 3).result());
    }`;
  const { code, stdout, stderr } = await runBesideCopy(prelude + source);
  assertEquals([code, stdout], [0, "undefined\n9\n"]);
  assertStringIncludes(stderr, "leaveTimer");
  assertStringIncludes(stderr, "self.close()");
};

cases["without the permission to read, creating a pool fails"] = async () => {
  const { code, stderr } = await runBesideCopy(`${prelude} newPool();`, []);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "NotCapable: Requires read access");
};

cases["the examples print what their comments say"] = async () => {
  const examples = futuresFiles().flatMap(({ text }) =>
    text.match(/(?<=```ts\n)[^]*?(?=```)/g) ?? []
  );
  assert(examples.length >= 4, `found ${examples.length} examples`);
  await Promise.all(examples.map(async (example) => {
    const said = example.matchAll(/console\.log\(.*\/\/ (.*)/g).map(([, text = ""]) => text);
    const program = example.replaceAll(/^ *\* ?/gm, "").replaceAll("./mod.ts", "./futures/mod.ts");
    assertEquals(await runBesideCopy(program), {
      code: 0,
      stdout: [...said, ""].join("\n").replaceAll(", ", "\n"),
      stderr: "",
    });
  }));
};

testSideBySide("programs end as they should", cases, { needs: PROGRAM });
