import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import {
  argsOf,
  assertShown,
  type Command,
  copyPool,
  Page,
  runIn,
  writePrograms,
} from "./readme.ts";
import { ConcurrentTests, deno, isGranted, output, Running, TempDir, test } from "./testing.ts";

const guide = isGranted(["read"]) ? Page.read("docs/pool.md") : new Page("");

/** Tests of the commands that cannot be run as they stand, by the file that the command names. */
const SPECIAL: Record<string, (dir: TempDir, command: Command) => Promise<void>> = {
  "server.ts": serve,
  "remote.ts": importOverHttp,
  "debug.ts": debug,
};

/** Starts the server on a free port, and requests a square. */
async function serve(dir: TempDir, command: Command): Promise<void> {
  replaceIn(join(dir.path, "server.ts"), "port: 8000", "port: 0");
  await using server = new Running(deno(argsOf(command), { cwd: dir.path }));
  await server.stderr.until(/Listening on http:\S+\//);
  assertMatch(command.shown.join("\n"), /^Listening on http:\S+\/$/);
  const [url] = server.stderr.text.match(/http:\S+/) ?? [];
  const response = await fetch(`${url}?n=7`);
  assertEquals(await response.text(), "49");
  if (Deno.build.os === "windows") return;
  server.kill("SIGINT");
  assertEquals((await server.end()).code, 0);
}

/** Serves the pool on a free port, and runs the program with that port. */
async function importOverHttp(dir: TempDir, command: Command): Promise<void> {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const headers = { "content-type": "text/typescript" };
      return new Response(await Deno.readTextFile(join(dir.path, pathname)), { headers });
    },
  );
  const host = `127.0.0.1:${server.addr.port}`;
  replaceIn(join(dir.path, "remote.ts"), "https://example.com", `http://${host}`);
  const line = command.line.replace("example.com", host);
  const { stdout } = await runIn(dir, { ...command, line });
  assertShown(command, stdout);
}

/** Attaches to the workers as Chrome does, and continues whatever pauses. */
async function debug(dir: TempDir, command: Command): Promise<void> {
  const args = argsOf(command).map((arg) =>
    arg === "--inspect-wait" ? "--inspect-wait=127.0.0.1:0" : arg
  );
  await using program = new Running(deno(args, { cwd: dir.path }));
  await program.stderr.until(/ws:\S+\s/);
  const [url = ""] = program.stderr.text.match(/ws:\S+/) ?? [];
  using inspector = new Inspector(url);
  await inspector.opened;
  inspector.send("Target.setAutoAttach", {
    autoAttach: true,
    waitForDebuggerOnStart: true,
    flatten: true,
  });
  inspector.send("Runtime.runIfWaitingForDebugger");
  await program.stdout.until(/49\n/);
  assertEquals(inspector.paused, ["square"]);
}

/** What the tests read of a message of the Chrome DevTools Protocol. */
interface InspectorMessage {
  method?: string;
  /** The worker that sent the message. */
  sessionId?: string;
  params?: { sessionId?: string; callFrames?: { functionName: string }[] };
}

/** A debugger that notes the names of the functions in which a worker pauses. */
class Inspector implements Disposable {
  readonly paused: string[] = [];
  readonly opened: Promise<void>;
  readonly #socket: WebSocket;
  #messages = 0;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.opened = new Promise((resolve) => {
      this.#socket.onopen = () => resolve();
    });
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  send(method: string, params = {}, sessionId?: string): void {
    const id = ++this.#messages;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
  }

  #receive({ method, params, sessionId }: InspectorMessage): void {
    if (method === "Target.attachedToTarget") {
      this.send("Debugger.enable", {}, params?.sessionId);
      this.send("Runtime.runIfWaitingForDebugger", {}, params?.sessionId);
    } else if (method === "Debugger.paused") {
      this.paused.push(params?.callFrames?.[0]?.functionName ?? "");
      this.send("Debugger.resume", {}, sessionId);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

function replaceIn(file: string, from: string, to: string): void {
  const text = Deno.readTextFileSync(file);
  assert(text.includes(from), `expected ${from} in ${file}`);
  Deno.writeTextFileSync(file, text.replace(from, to));
}

function prepare(dir: TempDir): void {
  copyPool(dir);
  writePrograms(guide, dir);
}

const tests = new ConcurrentTests();
const commands = guide.text === "" ? [] : guide.commands();
for (const command of commands.filter(({ line }) => !line.startsWith("deno compile"))) {
  const { line, input, shown } = command;
  const special = SPECIAL[line.split(" ").at(-1) ?? ""];
  tests.add(line, async (dir) => {
    prepare(dir);
    if (special) return await special(dir, command);
    const { stdout } = await runIn(dir, command);
    if (line.startsWith("deno doc")) return assertMatch(stdout, /class WorkerPoolExecutor/);
    if (input.length === 0) return assertShown(command, stdout);
    for (const result of shown) assert(stdout.split("\n").includes(result), stdout);
  }, input.length > 0 ? { only: "unix" } : {});
}
tests.define("the commands of docs/pool.md");

test("the guide has a command for each program, and no program has more than 15 lines", () => {
  const programs = guide.programs();
  const typed = commands.map(({ line }) => line).join("\n");
  for (const [name, text] of programs) {
    const isLibrary = !/WorkerPoolExecutor\(/.test(text);
    assert(isLibrary || typed.includes(name), `expected a command for ${name}`);
    const [, ...lines] = text.trimEnd().split("\n"); // the first line is the name
    assert(lines.length <= 15, `expected at most 15 lines in ${name}`);
  }
  for (const name of Object.keys(SPECIAL)) assert(programs.has(name), `expected ${name}`);
}, { needs: ["read"] });

test("README.md and the guide begin with the same program", () => {
  assertEquals(
    Page.read("README.md").programs().get("squares.ts"),
    guide.programs().get("squares.ts"),
  );
}, { needs: ["read"] });

test("the programs of the guide pass the type checker", async () => {
  await using dir = new TempDir();
  prepare(dir);
  // Nothing answers at the address in this program. Its own test checks it.
  Deno.removeSync(join(dir.path, "remote.ts"));
  const { code, stderr } = await output(deno(["check", "."], { cwd: dir.path }));
  assertEquals(code, 0, stderr);
}, { needs: ["read", "write", "run"] });

test("the executable that the guide compiles contains the code of the workers", async () => {
  await using dir = new TempDir();
  prepare(dir);
  const command = commands.find(({ line }) => line.startsWith("deno compile"));
  assert(command);
  // Deno would download the runtime of the executable. Any file will do, because nothing runs it.
  const env = { DENORT_BIN: Deno.execPath() };
  const { code, stderr } = await output(deno(argsOf(command), { cwd: dir.path, env }));
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /── worker\.ts/);
  assertMatch(stderr, /── squares\.ts/);
}, { needs: ["read", "write", "run"], only: "linux" });
