/**
 * Compares the flags programs with CPython and curl, as whole processes.
 *
 * @module
 */
import { join } from "@std/path";
import { isCompleteGif } from "../common/gif.ts";
import { flagCodes, serveFlags } from "../common/site.ts";
import { plural } from "../common/terminal.ts";
import { DEST_DIR, POP20_CC } from "../flags.ts";
import { figure, findPython, findWorking, type Finished, median } from "./shared.ts";
import { pathOf, printTable, type Program, run, takeTurns } from "./shared.ts";

const WORKERS = Math.min(32, navigator.hardwareConcurrency + 4);
const IN_FLIGHT = 30;
const DELAY_MS = 300;
/** GNU time prints the maximum memory of a program in KiB as the last line. */
const TIME = ["/usr/bin/time", "-f", "%M"];

/** A program that downloads flags. */
interface Downloader extends Program {
  /** The number of requests at the same time. */
  connections: number;
}

/** Runs the benchmark, which takes about a minute and a half, and prints its table. */
export async function benchmarkFlags(): Promise<void> {
  console.log("\n## The downloaders\n");
  const downloaders = await findWorking(await listDownloaders());
  const delayed = await measureAll(downloaders, POP20_CC, DELAY_MS);
  const all = await measureAll(downloaders, flagCodes());
  const one = await measureAll(downloaders, ["BR"]);

  const fastest = Math.min(...Array.from(all.values(), (runs) => median(timesOf(runs))));
  const rows = downloaders.map(({ name, connections }) => {
    const ideal = Math.ceil(POP20_CC.length / connections) * DELAY_MS;
    return [
      name,
      `${connections}`,
      figure(timesOf(delayed.get(name)), [ideal]),
      figure(timesOf(all.get(name)), [fastest]),
      figure(timesOf(one.get(name))),
      peakMiB(all.get(name)).toFixed(),
    ];
  });
  const columns = ["20 flags with delay, ms", "243 flags, ms", "1 flag, ms", "MiB"];
  printTable(["program", "connections", ...columns], rows);
}

async function listDownloaders(): Promise<Downloader[]> {
  const deno = [Deno.execPath(), "run", "-A"];
  const python = [await findPython(), pathOf("./flags_peers.py")];
  const curl = ["curl", "-s", "--fail", "--remote-name-all", "--parallel", "--parallel-max"];
  return [
    downloader("flags.ts", 1, [...deno, pathOf("../flags.ts"), "-m"]),
    downloader("flags_threadpool.ts", WORKERS, [...deno, pathOf("../flags_threadpool.ts"), "-m"]),
    downloader("flags_futures.ts", WORKERS, [...deno, pathOf("../flags_futures.ts"), "-m"]),
    downloader("flags_async.ts", IN_FLIGHT, [...deno, pathOf("../flags_async.ts"), "-m"]),
    ...[1, WORKERS, IN_FLIGHT].map((threads) => {
      return downloader(`CPython, ${plural(threads, "thread")}`, threads, python);
    }),
    downloader("curl --parallel", IN_FLIGHT, curl),
  ];
}

/** Returns a program whose `command` continues with the number of connections. */
function downloader(name: string, connections: number, command: string[]): Downloader {
  const probe = [...TIME, ...command.slice(0, 1), "--version"];
  return { name, connections, command: [...command, `${connections}`], probe };
}

/** Lets the downloaders take turns to download flags that take `delayMs` ms each. */
async function measureAll(
  downloaders: Downloader[],
  codes: readonly string[],
  delayMs = 0,
): Promise<Map<string, Finished[]>> {
  await using site = serveFlags({ delay: [delayMs / 1000, delayMs / 1000] });
  const url = `http://127.0.0.1:${site.addr.port}/flags`;
  return await takeTurns(downloaders, (downloader) => download(downloader, url, codes));
}

/** Runs a downloader in an empty directory, and checks that it saves every flag. */
async function download(
  { name, command }: Downloader,
  url: string,
  codes: readonly string[],
): Promise<Finished> {
  const cwd = await Deno.makeTempDir({ prefix: "flags_bench" });
  const isOurs = name.endsWith(".ts");
  const urls = codes.map((cc) => `${url}/${cc}/${cc}.gif`.toLowerCase());
  const args = isOurs ? ["-s", url, ...codes] : urls;
  try {
    const finished = await run([...TIME, ...command, ...args], { cwd });
    const dir = isOurs ? join(cwd, DEST_DIR) : cwd;
    const files = Array.from(Deno.readDirSync(dir), (file) => join(dir, file.name));
    const { length } = files.filter((file) => isCompleteGif(Deno.readFileSync(file)));
    if (length !== codes.length) {
      throw new Error(`${name}: expected ${codes.length} flags, got ${length}`);
    }
    return finished;
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

function timesOf(runs: Finished[] = []): number[] {
  return runs.map(({ ms }) => ms);
}

function peakMiB(runs: Finished[] = []): number {
  const peaksKiB = runs.map(({ stderr }) => Number(stderr.trim().split("\n").at(-1)));
  return Math.max(...peaksKiB) / 1024;
}
