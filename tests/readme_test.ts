import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { assertShown, assertShownAlike, type Command, Page } from "./readme.ts";
import { ROOT, test } from "./testing.ts";

const CONSOLE = "```console\n$ deno run -A flags.ts   # exit code 1\nBR CN\n```\n";

test("the reader finds commands with their output, in a checkout with CRLF too", () => {
  const text = `${CONSOLE}Does it work? \`deno task flags -a\` (exit code 2)\n`;
  const shared = { inAnyOrder: false, input: [] };
  const expected: Command[] = [
    { line: "deno run -A flags.ts", exitCode: 1, shown: ["BR CN"], ...shared },
    { line: "deno task flags -a", exitCode: 2, shown: [], ...shared },
  ];
  assertEquals(new Page(text).commands(), expected);
  assertEquals(new Page(text.replaceAll("\n", "\r\n")).commands(), expected);
});

test("the reader throws if a page has no commands", () => {
  assertThrows(() => new Page("Type `deno`.\n").commands(), Error, "got none");
});

test("the comparison with the output fails if a line or a word is missing", () => {
  const [command] = new Page(CONSOLE).commands();
  assert(command);
  const ended = { code: 0, stdout: "CN BR \n", stderr: "" };
  assertShownAlike(command, ended);
  assertThrows(() => assertShownAlike(command, { ...ended, stdout: "CN\n" }));
  assertThrows(() => assertShownAlike(command, { ...ended, stdout: "CN BR\n2 downloads\n" }));
});

test("the exact comparison with the output ignores times only", () => {
  const page =
    "```console\n$ deno test\n…\nok (84ms)\n$ deno run a.ts   # in any order\n1\n2\n```\n";
  const [first, second] = new Page(page).commands();
  assert(first && second);
  const ended = { code: 0, stderr: "" };
  assertShown(first, { ...ended, stdout: "Check\nok (1s)\n" });
  assertThrows(() => assertShown(first, { ...ended, stdout: "ok (1s)\nCheck\n" }));
  assertShown(second, { ...ended, stdout: "2\n1\n" });
  assertThrows(() => assertShown(second, { ...ended, stdout: "1\n2\n3\n" }));
});

test("README.md shows downloadMany as it stands in the three programs", () => {
  const programs = ["flags.ts", "flags_threadpool.ts", "flags_async.ts"];
  const sources = programs.map((name) => Deno.readTextFileSync(join(ROOT, name)));
  const shown = readme().blocks("ts ignore").filter((block) => block.includes("downloadMany"));
  assertEquals(shown.length, 3);
  for (const [i, block] of shown.entries()) assert(sources[i]?.includes(block), block);
}, { needs: ["read"] });

test("the two commands that need only Node are those for Deno", () => {
  const [, quickStart = ""] = /^## Quick start$([^]*?)^## /m.exec(readme().text) ?? [];
  const withNode = Array.from(
    quickStart.matchAll(/^\$ npx -y deno@[\d.]+ (.+)$/gm),
    ([, args]) => args,
  );
  const withDeno = Array.from(quickStart.matchAll(/^\$ deno (.+)$/gm), ([, args]) => args);
  assertEquals(withNode.length, 2);
  assertEquals(withNode, withDeno);
}, { needs: ["read"] });

test("no table of README.md and docs/ is wider than 100 characters", () => {
  for (const name of pages()) {
    const rows = Page.read(name).text.split("\n").filter((line) => line.startsWith("|"));
    for (const row of rows) assert([...row].length <= 100, `${name}: ${row}`);
  }
}, { needs: ["read"] });

test(
  "the lines for JSR in README.md replace all lines for the standard library in deno.json",
  () => {
    const { imports } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
    const [lines = ""] = readme().blocks("json");
    const replacements = JSON.parse(`{${lines.trim().replace(/,$/, "")}}`);
    const replaced = Object.keys(imports).filter((name) => name.startsWith("@std/"));
    assertEquals(Object.keys(replacements).sort(), replaced.sort());
  },
  { needs: ["read"] },
);

test("the links of README.md and docs/ lead to files and headings that exist", () => {
  for (const name of pages()) {
    const page = Page.read(name);
    for (const [, target = ""] of page.text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith("https:")) continue;
      if (target.startsWith("#")) assert(headings(page).includes(target), `${name}: ${target}`);
      else Deno.statSync(join(ROOT, name, "..", target));
    }
  }
}, { needs: ["read"] });

/** Returns the links to the headings of a page, as GitHub makes them. */
function headings({ text }: Page): string[] {
  const names = Array.from(text.matchAll(/^#+ (.+)$/gm), ([, name = ""]) => name);
  return names.map((name) =>
    `#${name.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-")}`
  );
}

function pages(): string[] {
  const docs = Array.from(Deno.readDirSync(join(ROOT, "docs")), ({ name }) => `docs/${name}`);
  return ["README.md", ...docs.filter((name) => name.endsWith(".md"))];
}

function readme(): Page {
  return Page.read("README.md");
}
