import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ConcurrentTests, deno, type Ended, output, ROOT, type TempDir } from "../testing.ts";

export const tests = new ConcurrentTests();

const RUN = import.meta.resolve("../../common/run.ts");
const FLAGS = import.meta.resolve("../../flags.ts");
const FUTURES = import.meta.resolve("../../futures/mod.ts");

/** The first lines of each program. */
const HEAD = `import { main } from "${RUN}";
import { downloadOne } from "${FLAGS}";
import { WorkerPoolExecutor } from "${FUTURES}";
`;

/** Runs a program that a student wrote, for the flags BR and US. Its path ends in `student.ts`. */
function runStudent(dir: TempDir, source: string, permissions = ["-A"]): Promise<Ended> {
  const program = join(dir.path, "student.ts");
  Deno.writeTextFileSync(program, HEAD + source);
  const config = `--config=${join(ROOT, "deno.json")}`;
  const args = ["run", "--no-prompt", ...permissions, config, program, "BR", "US"];
  return output(deno(args, { cwd: dir.path }));
}

for (
  const [mistake, source, message] of [
    [
      "a typo in downloadMany",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags.vales()) report(await downloadOne(flag));
       });`,
      "TypeError: flags.vales is not a function or its return value is not iterable",
    ],
    [
      "a name that is not defined",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags) report(await download(flag));
       });`,
      "ReferenceError: download is not defined",
    ],
    [
      "an error of the student's own",
      `await main(async (flags, maxReq, report) => {
         throw new Error("not finished yet");
       });`,
      "Error: not finished yet",
    ],
    [
      "a missing await before downloadOne",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags) report(downloadOne(flag));
       });`,
      "TypeError: report: expected the outcome of a download, got Promise { <pending> } " +
      "(is an \`await\` missing?)",
    ],
    [
      "a report without an outcome",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags) report();
       });`,
      "TypeError: report: expected the outcome of a download, got undefined",
    ],
    [
      "a flag that is reported twice",
      `await main(async (flags, maxReq, report) => {
         for (const _ of flags) report(await downloadOne(flags[0]));
       });`,
      "TypeError: report: expected each flag once, got BR again",
    ],
    [
      "a flag that nobody asked for",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags) report({ ...await downloadOne(flag), cc: "ZZ" });
       });`,
      "TypeError: report: expected one of the flags of downloadMany, got ZZ",
    ],
  ] as const
) {
  tests.add(`${mistake} is printed with its file and line`, async (dir) => {
    const { code, stderr } = await runStudent(dir, source);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `\n${message}\n`);
    assertMatch(stderr, /\n {4}at .*student\.ts:5:\d+/);
  });
}

tests.add("a mistake in the task of a worker is printed with its file and line", async (dir) => {
  const { code, stderr } = await runStudent(
    dir,
    `export function task(flag) {
      return download(flag);
    }
    async function downloadMany(flags, maxReq, report) {
      await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: maxReq });
      for await (const outcome of executor.map(task, flags)) report(outcome);
    }
    if (import.meta.main) await main(downloadMany, { maxReq: 2 });`,
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "\nReferenceError: download is not defined\n");
  assertMatch(stderr, /\n {4}at task .*student\.ts:5:\d+/);
});

for (
  const [mistake, source] of [
    [
      "a missing await before Promise.all",
      `await main(async (flags, maxReq, report) => {
         Promise.all(flags.map(async (flag) => report(await downloadOne(flag))));
       });`,
    ],
    [
      "a missing report",
      `await main(async (flags, maxReq, report) => {
         for (const flag of flags) await downloadOne(flag);
       });`,
    ],
  ] as const
) {
  tests.add(`${mistake} is named, and the exit code is 1`, async (dir) => {
    const { code, stdout, stderr } = await runStudent(dir, source);
    assertEquals(code, 1);
    assertMatch(stdout, /^0 downloads in /);
    const advice = "downloadMany reported 0 of 2 flags: is an `await` or a `report` missing, " +
      "or an error ignored?";
    assertEquals(stderr.split("\n").slice(1), [advice, ""]);
  });
}

tests.add("the codes that arrived before a mistake are printed before the stack", async (dir) => {
  const { code, stdout, stderr } = await runStudent(
    dir,
    `await main(async ([first], maxReq, report) => {
       report(await downloadOne(first));
       report(await downloadOne(second));
     });`,
  );
  assertEquals([code, stdout], [1, "BR \n"]);
  assertMatch(stderr, /\nReferenceError: second is not defined\n {4}at .*student\.ts:6:\d+/);
});

tests.add(
  "a missing permission is not a mistake in the program, so it is one line",
  async (dir) => {
    const { code, stderr } = await runStudent(
      dir,
      `await main(async (flags, maxReq, report) => {
       Deno.env.get("HOME");
     });`,
      ["--allow-net", "--allow-read", "--allow-write"],
    );
    assertEquals(code, 1);
    const [last, ...rest] = stderr.trimEnd().split("\n").reverse();
    assertMatch(`${last}`, /^Requires env access to "HOME", run again with the --allow-env flag$/);
    assert(rest.length <= 1, stderr);
  },
);

tests.add(
  "a program without a guard that a worker loads is told to call main under the guard",
  async (dir) => {
    const { code, stderr } = await runStudent(
      dir,
      `export function task(flag) {
      return downloadOne(flag);
    }
    async function downloadMany(flags, maxReq, report) {
      await using executor = new WorkerPoolExecutor(import.meta.url, { maxWorkers: maxReq });
      for await (const outcome of executor.map(task, flags)) report(outcome);
    }
    await main(downloadMany);`,
    );
    assertEquals(code, 1);
    assertStringIncludes(stderr, "call `main` only under `if (import.meta.main)`");
  },
);
