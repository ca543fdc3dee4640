/** `proc_pool.ts` prints one line for each number, in the order of the numbers. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { isGranted, readUntil, ROOT, run, start } from "./helpers.ts";

const ignore = !isGranted("read", "run");

Deno.test("proc_pool.ts checks the numbers, the largest first", { ignore }, async () => {
  const { code, stdout, stderr } = await run("proc_pool.ts", ["2", "--timeline"], ROOT);
  assertEquals([code, stderr], [0, ""]);
  const [first, ...lines] = stdout.split("\n");
  assertEquals(first, "Checking 20 numbers with 2 workers:");
  for (const line of lines.slice(0, 20)) assertMatch(line, /^[ \d]{16} {3}[P ] +\d+\.\d{6}s$/);
  assertEquals(lines.slice(0, 20).map((line) => line.slice(0, 20)), [
    "9999999999999999    ",
    "9999999999999917   P",
    "7777777777777777    ",
    "7777777777777753   P",
    "7777777536340681    ",
    "6666667141414921    ",
    "6666666666666719   P",
    "6666666666666666    ",
    "5555555555555555    ",
    "5555555555555503   P",
    "5555553133149889    ",
    "4444444488888889    ",
    "4444444444444444    ",
    "4444444444444423   P",
    "3333335652092209    ",
    "3333333333333333    ",
    "3333333333333301   P",
    " 299593572317531   P",
    " 142702110479723   P",
    "               2   P",
  ]);
  assertMatch(lines[20] ?? "", /^Total time: \d+\.\d\ds$/);
  const title = "proc_pool.ts: 20 numbers with 2 workers";
  assertMatch(lines.slice(21).join("\n"), RegExp(`^\n${title}\n1 .*=.*\n2 .*=.*\n {2}\\|0 s.*\n$`));
});

Deno.test("proc_pool.ts prints a line before the next number is done", { ignore }, async () => {
  // It would take longer than a lifetime to check the prime 2^127 - 1.
  const args = ["1", `${2n ** 128n}`, `${2n ** 127n - 1n}`];
  await using child = start("proc_pool.ts", args, ROOT);
  const { text } = await readUntil(child.stdout, /s\n/);
  assertMatch(text, RegExp(`^Checking 2 numbers with 1 worker:\n${2n ** 128n} .*s\n$`));
  await child.stderr.cancel();
});

Deno.test("proc_pool.ts names a missing permission in four lines", { ignore }, async () => {
  const { code, stderr } = await run("proc_pool.ts", ["1", "7"], ROOT, []);
  assertEquals(code, 1);
  assertMatch(stderr, /--allow-read/);
  assert(stderr.trimEnd().split("\n").length <= 4, stderr);
});
