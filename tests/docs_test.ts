/** The commands and programs of README.md and docs/ work, and print what the documents show. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { deno, ended, flagSite, isGranted, ROOT, tempDir } from "./helpers.ts";

const ignore = !isGranted("net", "read", "run", "write");

const read = (name: string) => Deno.readTextFileSync(join(ROOT, name)).replaceAll("\r\n", "\n");

/** Commands that need a network, a keyboard, a debugger or a browser, or run the tests. */
const BY_HAND =
  /^npx|deno (test -A|task (check|serve|bench)|compile|repl|run --inspect)|remote\.ts|server\.ts/;
/** Commands that download flags. The test passes them a site without delays. */
const DOWNLOADS = /(flags\w*|compare|mine)\.ts|task flags/;

/** Makes a directory with a copy of the programs, and with the programs that a document shows. */
function copyOfProject(text: string): { path: string } & Disposable {
  const dir = tempDir();
  for (const folder of ["", "common", "futures"]) {
    Deno.mkdirSync(join(dir.path, folder), { recursive: true });
    for (const { name, isFile } of Deno.readDirSync(join(ROOT, folder))) {
      if (isFile) Deno.copyFileSync(join(ROOT, folder, name), join(dir.path, folder, name));
    }
  }
  const programs = text.matchAll(/^```ts ignore\n(\/\/ (\w+\.ts)\n[^]*?)^```$/gm);
  for (const [, program = "", name = ""] of programs) {
    // remote.ts imports the pool from a host that does not exist.
    if (name !== "remote.ts") Deno.writeTextFileSync(join(dir.path, name), program);
  }
  return dir;
}

/** Returns the commands in a document, and the lines that each of them prints. */
function commandsOf(text: string): Map<string, string[]> {
  const commands = new Map<string, string[]>();
  for (const [, command = ""] of text.matchAll(/`(deno (?:run|task|doc) [^`]+)`/g)) {
    commands.set(command.replaceAll("\n", " "), []);
  }
  for (const [, block = ""] of text.matchAll(/^```console\n([^]*?)^```$/gm)) {
    for (const part of block.split(/^\$ /m).slice(1)) {
      const [command = "", ...lines] = part.trimEnd().split("\n");
      commands.set(command.replace(/ +#.*/, ""), lines.filter((line) => line !== "…"));
    }
  }
  return commands;
}

/** Masks what differs from run to run, and sorts the words: downloads may end in any order. */
function steady(line: string): string {
  const masked = line.replace(/from .*?,/, "from SITE,").replace(
    /\d+\.\d+|\(\d+m?s\)|\d+ steps/g,
    "…",
  );
  return masked.split(/\s+/).sort().join(" ").trim();
}

/** Runs a command in a copy of the project. */
async function runCommand(command: string, cwd: string) {
  const args = command.split(" ").slice(1);
  await using site = flagSite();
  if (DOWNLOADS.test(command)) args.push("--server", site.url);
  return await ended(deno(args, cwd).output());
}

for (const name of ["README.md", "docs/pool.md"]) {
  const text = ignore ? "" : read(name);
  // The commands share one directory, so that Deno compiles each module once.
  const dir = ignore ? { path: "", [Symbol.dispose]() {} } : copyOfProject(text);
  addEventListener("unload", () => dir[Symbol.dispose]());

  Deno.test(`${name}: every program passes the type checker`, { ignore }, async () => {
    const { code, stderr } = await ended(deno(["check", "."], dir.path).output());
    assertEquals(code, 0, stderr);
  });

  for (const [command, shown] of commandsOf(text)) {
    if (BY_HAND.test(command)) continue;
    Deno.test(`${name}: ${command} prints what the document shows`, { ignore }, async () => {
      const { code, stdout, stderr } = await runCommand(command, dir.path);
      assertEquals(code, command.includes("ZZ") ? 1 : 0, stderr);
      const printed = `${stderr}\n${stdout}`.split("\n").map(steady);
      for (const line of shown.map(steady)) {
        assert(printed.includes(line), `${line} is not in:\n${printed.join("\n")}`);
      }
    });
  }
}

const LESSON = ignore ? "" : read("docs/lesson.md");
const MISTAKES = LESSON.matchAll(
  /^### (.+)\n\n```diff\n--- (\S+)\n([^]+?)```\n\n```console\n\$ (.+)\n(.+)\n```/gm,
);

for (const [, title = "", program = "", diff = "", command = "", shown = ""] of MISTAKES) {
  Deno.test(`docs/lesson.md: ${title} shows what the lesson says`, { ignore }, async () => {
    using dir = copyOfProject("");
    const path = join(dir.path, program);
    const source = Deno.readTextFileSync(path);
    const linesOf = (sign: string) =>
      diff.match(RegExp(`(?<=^\\${sign}).*\n`, "gm"))?.join("") ?? "";
    assertEquals(source.split(linesOf("-")).length, 2, `one place in ${program}`);
    Deno.writeTextFileSync(path, source.replace(linesOf("-"), linesOf("+")));
    const { stdout, stderr } = await runCommand(command, dir.path);
    const printed = `${stderr}\n${stdout}`.replace(/file:\S+\.ts/g, "FILE").split("\n").map(steady);
    assert(printed.includes(steady(shown)), printed.join("\n"));
  });
}

Deno.test("README.md and docs/pool.md have all their programs and commands in a tested form", {
  ignore,
}, () => {
  assert(commandsOf(read("README.md")).size > 12);
  assert(commandsOf(read("docs/pool.md")).size > 9);
  assertEquals(LESSON.match(/^### /gm)?.length, 6);
});

Deno.test("README.md shows downloadMany as it stands in the three programs", { ignore }, () => {
  for (const name of ["flags.ts", "flags_threadpool.ts", "flags_async.ts"]) {
    const [source = "no match"] =
      read(name).match(/^export async function downloadMany[^]*?^}\n/m) ?? [];
    assertStringIncludes(read("README.md"), source);
  }
});

Deno.test("README.md and docs/pool.md begin with the same program", { ignore }, () => {
  const [program = "no match"] = read("docs/pool.md").match(/^\/\/ squares\.ts\n[^]*?^```/m) ?? [];
  assertStringIncludes(read("README.md"), program);
});

Deno.test("the links in the documents lead to files and headings that exist", { ignore }, () => {
  for (const name of ["README.md", "docs/pool.md", "docs/lesson.md", "docs/benchmarks.md"]) {
    const text = read(name);
    const headings = Array.from(
      text.matchAll(/^#+ (.+)$/gm),
      ([, heading = ""]) =>
        `#${heading.toLowerCase().replace(/[^\w\s-]/g, "").replaceAll(" ", "-")}`,
    );
    for (const [, target = ""] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith("#")) assert(headings.includes(target), `${name}: ${target}`);
      else if (!target.startsWith("https:")) Deno.statSync(join(ROOT, name, "..", target));
    }
  }
});
