/**
 * Compares the flags programs with CPython and curl, as whole processes. `docs/benchmarks.md`
 * describes the method.
 *
 * ```console
 * $ deno task bench flags
 * ```
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { POP20_CC } from "../common/flag.ts";
import { flagCodes } from "../flags_server.ts";
import { type Command, isInstalled, timed } from "./process.ts";
import { median, medianAndSpread, ratio, table } from "./report.ts";
import { type Contestant, takeTurns } from "./turns.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const WORKERS = Math.min(32, navigator.hardwareConcurrency + 4);
const IN_FLIGHT = 30;
const DELAY_S = 0.3;
const DELAYED_ROUNDS = 3;
const PROMPT_ROUNDS = 9;
const START_ROUNDS = 5;

/** The largest acceptable ratio of a program's time to the time of a peer. */
const GOALS = [
  { program: "flags_async.ts", peer: "curl --parallel", limit: 1.8 },
  { program: "flags_threadpool.ts", peer: "CPython ThreadPoolExecutor", limit: 1 },
];

/** A program that downloads flags into the current directory or into `downloaded/` below it. */
interface Downloader {
  name: string;
  /** The number of requests at the same time. */
  connections: number;
  command(url: string, codes: readonly string[]): Command;
}

interface Run {
  seconds: number;
  peakMiB: number | undefined;
}

/** Runs the benchmark, which takes about two minutes, and prints its tables. */
export async function benchmarkFlags(): Promise<void> {
  console.log("\n## The downloaders");
  const downloaders = await findDownloaders();

  const start = await measureStart();
  console.log(`\n### 20 flags that take ${DELAY_S} s each\n`);
  console.log(`Time to start a process: ${medianAndSpread(start, 3)} s.\n`);
  const delayed = await withSite(DELAY_S, (url) => {
    return takeTurns(contestants(downloaders, DELAYED_ROUNDS, url, POP20_CC));
  });
  console.log(formatDelayed(downloaders, delayed, median(start)));

  const codes = flagCodes();
  console.log(`\n### ${codes.length} flags without delay\n`);
  const prompt = await withSite(0, (url) => {
    return takeTurns(contestants(downloaders, PROMPT_ROUNDS, url, codes));
  });
  const firstRequests = await measureFirstRequests(downloaders, codes);
  console.log(formatPrompt(downloaders, prompt, firstRequests));
  printGoals(prompt);
}

/** Returns the downloaders that can run on this machine, and prints which ones cannot. */
async function findDownloaders(): Promise<Downloader[]> {
  return [
    ourProgram("flags.ts", 1),
    ourProgram("flags_threadpool.ts", WORKERS),
    ourProgram("flags_futures.ts", WORKERS),
    ourProgram("flags_async.ts", IN_FLIGHT),
    ...await pythonDownloaders(),
    ...await curlDownloaders(),
  ];
}

function ourProgram(program: string, connections: number): Downloader {
  return {
    name: program,
    connections,
    command: (url, codes) => ({
      program: Deno.execPath(),
      args: ["run", "-A", join(ROOT, program), "-s", url, "-m", `${connections}`, ...codes],
    }),
  };
}

async function pythonDownloaders(): Promise<Downloader[]> {
  if (!await isInstalled("python3")) {
    console.log("- left out: CPython (python3 is not installed)");
    return [];
  }
  const downloaders = [
    pythonProgram("urllib", "sequential", 1),
    pythonProgram("ThreadPoolExecutor", "threads", WORKERS),
    pythonProgram("asyncio streams", "streams", IN_FLIGHT),
  ];
  const importHttpx = new Deno.Command("python3", { args: ["-c", "import httpx"], stderr: "null" });
  if ((await importHttpx.output()).success) {
    downloaders.push(pythonProgram("asyncio httpx", "httpx", IN_FLIGHT));
  } else {
    console.log("- left out: httpx (not installed for python3)");
  }
  return downloaders;
}

function pythonProgram(name: string, mode: string, connections: number): Downloader {
  const path = join(ROOT, "bench/flags_peers.py");
  return {
    name: `CPython ${name}`,
    connections,
    command: (url, codes) => ({
      program: "python3",
      args: [path, mode, `${connections}`, url, ...codes],
    }),
  };
}

async function curlDownloaders(): Promise<Downloader[]> {
  if (!await isInstalled("curl")) {
    console.log("- left out: curl (not installed)");
    return [];
  }
  const options = ["-s", "--fail", "--parallel", "--parallel-max", `${IN_FLIGHT}`];
  return [{
    name: "curl --parallel",
    connections: IN_FLIGHT,
    command: (url, codes) => {
      const files = codes.flatMap((cc) => {
        return ["-o", `${cc}.gif`, `${url}/${cc}/${cc}.gif`.toLowerCase()];
      });
      return { program: "curl", args: [...options, ...files] };
    },
  }];
}

/** Measures the seconds that a program needs to start. `--help` does little else. */
async function measureStart(): Promise<number[]> {
  const help = {
    program: Deno.execPath(),
    args: ["run", "-A", join(ROOT, "flags_async.ts"), "--help"],
  };
  const seconds = [];
  for (let i = 0; i < START_ROUNDS; i++) seconds.push((await timed(help)).seconds);
  return seconds;
}

/** Starts the site in a process of its own, calls `use` with its URL, and stops the site. */
async function withSite<T>(delay: number, use: (url: string) => Promise<T>): Promise<T> {
  const args = ["run", "-A", join(ROOT, "flags_server.ts"), "0", "--delay", `${delay}-${delay}`];
  const site = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = site.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const line = (await reader.read()).value ?? "";
    const url = line.match(/http:\S+\/flags/)?.[0];
    if (url === undefined) throw new Error(`expected the URL of the site, got ${line}`);
    return await use(url);
  } finally {
    site.kill();
    await reader.cancel();
    await site.status;
  }
}

function contestants(
  downloaders: Downloader[],
  rounds: number,
  url: string,
  codes: readonly string[],
): Contestant<Run>[] {
  return downloaders.map((downloader) => {
    const { name } = downloader;
    return { name, rounds, run: () => download(downloader, url, codes) };
  });
}

/** Runs a downloader in an empty directory, and checks that it saves every flag. */
async function download(
  { name, command }: Downloader,
  url: string,
  codes: readonly string[],
): Promise<Run> {
  const cwd = await Deno.makeTempDir({ prefix: "flags_bench" });
  try {
    const { seconds, peakMiB } = await timed(command(url, codes), { cwd, measureMemory: true });
    const directory = name.endsWith(".ts") ? join(cwd, "downloaded") : cwd;
    const count = Array.from(Deno.readDirSync(directory)).length;
    if (count !== codes.length) {
      throw new Error(`${name}: expected ${codes.length} files, got ${count}`);
    }
    return { seconds, peakMiB };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** Measures the seconds from the start of each downloader's process to its first request. */
async function measureFirstRequests(
  downloaders: Downloader[],
  codes: readonly string[],
): Promise<Map<string, number[]>> {
  const image = await Deno.readFile(
    new URL(import.meta.resolve("famfamfam-flags/dist/gif/br.gif")),
  );
  let firstRequest = Infinity;
  await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    firstRequest = Math.min(firstRequest, performance.now());
    return new Response(image);
  });
  const url = `http://127.0.0.1:${site.addr.port}`;
  const cwd = await Deno.makeTempDir({ prefix: "flags_bench" });
  try {
    return await takeTurns(downloaders.map(({ name, command }) => ({
      name,
      rounds: START_ROUNDS,
      run: async () => {
        firstRequest = Infinity;
        const began = performance.now();
        await timed(command(url, codes), { cwd });
        if (firstRequest === Infinity) throw new Error(`${name}: expected a request, got none`);
        return (firstRequest - began) / 1000;
      },
    })));
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

function formatDelayed(
  downloaders: Downloader[],
  measured: Map<string, Run[]>,
  start: number,
): string {
  const rows = downloaders.map(({ name, connections }) => {
    const runs = measured.get(name) ?? [];
    const seconds = secondsOf(runs);
    const ideal = Math.ceil(POP20_CC.length / connections) * DELAY_S;
    // Only Deno's start was measured.
    const times = name.endsWith(".ts") ? (median(seconds) / (ideal + start)).toFixed(2) : "–";
    return [
      name,
      `${connections}`,
      medianAndSpread(seconds, 2),
      ideal.toFixed(1),
      times,
      formatMemory(runs),
    ];
  });
  const header = ["program", "connections", "s", "ideal s", "s / (ideal + start)", "MiB"];
  return table(header, rows);
}

function formatPrompt(
  downloaders: Downloader[],
  measured: Map<string, Run[]>,
  firstRequests: Map<string, number[]>,
): string {
  const medians = Array.from(measured.values(), (runs) => median(secondsOf(runs)));
  const fastest = Math.min(...medians);
  const rows = downloaders.map(({ name, connections }) => {
    const runs = measured.get(name) ?? [];
    return [
      name,
      `${connections}`,
      `${medianAndSpread(secondsOf(runs), 3)} (${ratio(secondsOf(runs), [fastest])})`,
      median(firstRequests.get(name) ?? []).toFixed(3),
      formatMemory(runs),
    ];
  });
  const header = ["program", "connections", "s", "s to first request", "MiB"];
  return table(header, rows);
}

function secondsOf(runs: Run[]): number[] {
  return runs.map(({ seconds }) => seconds);
}

/** Returns the largest amount of memory that any run held. */
function formatMemory(runs: Run[]): string {
  const peaks = runs.map(({ peakMiB }) => peakMiB).filter((peakMiB) => peakMiB !== undefined);
  return peaks.length === 0 ? "–" : Math.max(...peaks).toFixed();
}

function printGoals(measured: Map<string, Run[]>): void {
  console.log("\nGoals of the downloaders:\n");
  for (const { program, peer, limit } of GOALS) {
    const ours = measured.get(program);
    const theirs = measured.get(peer);
    if (ours === undefined || theirs === undefined) continue;
    const times = ratio(secondsOf(ours), secondsOf(theirs));
    console.log(`- ${program}: ${times} times ${peer}; goal: at most ${limit}`);
  }
}
