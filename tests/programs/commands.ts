/**
 * Runs the commands of README.md and docs/pool.md, and compares their output with what the pages
 * show.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import {
  argsOf,
  assertShown,
  assertShownAlike,
  type Command,
  copyPool,
  Page,
  runIn,
  writePrograms,
} from "../readme.ts";
import {
  ConcurrentTests,
  copyPrograms,
  deno,
  type Ended,
  isGranted,
  packageFlag,
  Running,
  type TempDir,
} from "../testing.ts";

/** The commands that no test here can run, and why. */
const NOT_RUN = [
  /^npx /, // the same commands as for Deno, which need the network
  /^deno (test -A|task check)$/, // they would run this test again
  /^deno compile /, // see docs_test.ts
];

/** The commands that take seconds. */
const SLOW =
  /^deno (run -A (flags|compare)\.ts$|task (flags|serve)|run -A \S+ --max-req 1$)|--(check|timeline \w+\.svg)/;

type Special = (dir: TempDir, command: Command) => Promise<void>;

/** Tests of the commands that cannot be run as they stand. */
const SPECIAL: Record<string, Special> = {
  "deno task serve 8001 --delay 0.5-5 --error-rate 0.25": serveFlags,
  "deno run --allow-read=. --allow-net=127.0.0.1 server.ts": serve,
  "deno run --allow-read=. --allow-import=example.com remote.ts": importOverHttp,
  "deno run --inspect-wait --allow-read=. debug.ts": debug,
  "deno doc futures/mod.ts": readReference,
};

/** Starts the flag server, on a free port, and downloads a flag. */
async function serveFlags(dir: TempDir, command: Command): Promise<void> {
  const args = argsOf(command).map((arg) => arg === "8001" ? "0" : arg);
  await using server = new Running(deno(args, { cwd: dir.path }));
  await server.stdout.until(/http:\S+br\.gif/);
  const [url = ""] = server.stdout.text.match(/http:\S+br\.gif/) ?? [];
  const response = await fetch(url);
  const body = await response.bytes();
  if (response.status === 200) assertEquals(body, packageFlag("BR"));
  else assertEquals(response.status, 418);
}

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
  assertShown(command, await runIn(dir, { ...command, line }));
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

/** Asserts that the reference names the class of the pool. */
async function readReference(dir: TempDir, command: Command): Promise<void> {
  const { stdout } = await runIn(dir, command);
  assertMatch(stdout, /class WorkerPoolExecutor/);
}

/** Returns the commands of a page that can be run. Each line occurs once, with its output. */
function commandsOf(page: Page): Command[] {
  const commands = new Map<string, Command>();
  for (const command of page.commands()) {
    const isShown = commands.has(command.line) && command.shown.length === 0;
    if (isShown || NOT_RUN.some((pattern) => pattern.test(command.line))) continue;
    commands.set(command.line, command);
  }
  return [...commands.values()];
}

export const tests = new ConcurrentTests();
const lines = new Set<string>();

/** Adds the commands of a page. `check` compares the output with the output that the page shows. */
function addCommands(
  name: string,
  prepare: (dir: TempDir) => void,
  check: (command: Command, ended: Ended) => void,
): void {
  if (!isGranted(["read"])) return;
  const page = Page.read(name);
  for (const command of commandsOf(page)) {
    const { line, input, exitCode, shown } = command;
    lines.add(line);
    tests.add(`${name}: ${line}`, async (dir) => {
      prepare(dir);
      writePrograms(page, dir);
      const special = SPECIAL[line];
      if (special) return await special(dir, command);
      const ended = await runIn(dir, command);
      // If a page shows how a command fails, the command may fail in several ways.
      if (exitCode === 0 && shown.length > 0) check(command, ended);
    }, { slow: SLOW.test(line), ...(input.length > 0 ? { only: "unix" } : {}) });
  }
}

addCommands("README.md", copyPrograms, assertShownAlike);
addCommands("docs/pool.md", copyPool, assertShown);

tests.add("the pages have the commands that are tested in a special way", () => {
  for (const line of Object.keys(SPECIAL)) assert(lines.has(line), `expected ${line}`);
});
