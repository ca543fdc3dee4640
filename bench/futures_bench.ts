/**
 * Compares the worker pool with bare messages, with npm's pools under Deno and under Node, and with
 * CPython's pools. `docs/benchmarks.md` describes the method.
 *
 * ```console
 * $ deno task bench futures
 * ```
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { type Command, isInstalled, timed } from "./process.ts";
import { median, medianAndSpread, ratio, table } from "./report.ts";
import { type Contestant, takeTurns } from "./turns.ts";

const ROUNDS = 5;
/** A pool that has not run one task after this time does not work. */
const PROBE_MS = 10_000;
const HERE = fromFileUrl(new URL("futures", import.meta.url));
const PACKAGES = new Map([
  ["Piscina", "piscina@5.3.2"],
  ["tinypool", "tinypool@2.2.0"],
  ["workerpool", "workerpool@10.0.3"],
  ["poolifier", "poolifier@5.3.2"],
]);

type JobName = "burst" | "chunks" | "trip" | "first" | "compute" | "copy" | "shared";

/** The result of each job in one round. A contestant may not know every job. */
type Figures = Partial<Record<JobName, number>>;

interface Job {
  title: string;
  digits: number;
}

const JOBS: Record<JobName, Job> = {
  burst: { title: "20,000 tasks at once, ms", digits: 0 },
  chunks: { title: "chunks of 100, ms", digits: 1 },
  trip: { title: "one at a time, µs each", digits: 1 },
  first: { title: "first result, ms", digits: 1 },
  compute: { title: "200 × 5 ms, share of ideal", digits: 2 },
  copy: { title: "16 MiB copied, ms", digits: 1 },
  shared: { title: "16 MiB shared, ms", digits: 1 },
};

const TABLES: { title: string; jobs: JobName[] }[] = [
  { title: "Throughput", jobs: ["burst", "chunks", "compute"] },
  { title: "Latency", jobs: ["trip", "first"] },
  { title: "Large values", jobs: ["copy", "shared"] },
];

/** The contestant that the others are compared with. */
const OURS = "this pool";
const IN_ORDER = "messages, in order";
const ALL_AT_ONCE = "messages, all at once";
const THREADS = "ThreadPoolExecutor, CPython";
const PROCESSES = "ProcessPoolExecutor, CPython";

interface Goal {
  job: JobName;
  peer: string;
  /** The largest acceptable ratio of this pool's time to the time of the peer. */
  limit: number;
}

const GOALS: Goal[] = [
  { job: "burst", peer: IN_ORDER, limit: 1.5 },
  { job: "burst", peer: "Piscina, Node", limit: 1.1 },
  { job: "burst", peer: "tinypool, Node", limit: 1 },
  { job: "burst", peer: "workerpool, Node", limit: 1 },
  { job: "burst", peer: PROCESSES, limit: 0.5 },
  { job: "chunks", peer: PROCESSES, limit: 0.5 },
  { job: "trip", peer: ALL_AT_ONCE, limit: 1.5 },
  { job: "first", peer: ALL_AT_ONCE, limit: 1.5 },
];
const LEAST_SHARE_OF_IDEAL = 0.9;
const MOST_OF_POOLIFIER = 0.1;

/** Runs the benchmark, which takes about four minutes, and prints its tables. */
export async function benchmarkFutures(): Promise<void> {
  console.log("\n## The pool\n");
  const dir = await Deno.makeTempDir({ prefix: "futures_bench" });
  try {
    const contestants = await findContestants(dir);
    const measured = await takeTurns(contestants);
    for (const { title, jobs } of TABLES) {
      console.log(`\n### ${title}\n\n${formatTable(jobs, measured)}`);
    }
    printGoals(measured);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Finds the contestants that work on this machine, and prints which ones do not. */
async function findContestants(dir: string): Promise<Contestant<Figures>[]> {
  const commands = new Map([
    ...[OURS, IN_ORDER, ALL_AT_ONCE].map((name) => [name, underDeno(HERE, name)] as const),
    ...await denoPeers(join(dir, "deno")),
    ...await nodePeers(join(dir, "node")),
    ...await pythonPeers(),
  ]);
  const contestants: Contestant<Figures>[] = [];
  for (const [name, command] of commands) {
    if (await works(name, command)) {
      contestants.push({
        name,
        rounds: ROUNDS,
        run: async () => JSON.parse((await timed(command)).stdout),
      });
    }
  }
  return contestants;
}

function underDeno(dir: string, name: string): Command {
  return { program: Deno.execPath(), args: ["run", "-A", join(dir, "measure.mjs"), name] };
}

/** Copies the benchmark into a new project of Deno that can import the packages. */
async function denoPeers(dir: string): Promise<[string, Command][]> {
  await copyMeasure(dir);
  const imports = Object.fromEntries(
    Array.from(PACKAGES.values(), (pinned) => [pinned.split("@", 1)[0], `npm:${pinned}`]),
  );
  await Deno.writeTextFile(join(dir, "deno.json"), JSON.stringify({ imports }));
  return Array.from(PACKAGES.keys(), (name) => [`${name}, Deno`, underDeno(dir, name)]);
}

/** Installs the packages with npm beside a copy of the benchmark. */
async function nodePeers(dir: string): Promise<[string, Command][]> {
  if (!await isInstalled("node") || !await isInstalled("npm")) {
    console.log("- left out: pools under Node (Node or npm is not installed)");
    return [];
  }
  await copyMeasure(dir);
  const args = ["install", "--prefix", dir, "--fetch-retries=0", ...PACKAGES.values()];
  try {
    await timed({ program: "npm", args });
  } catch (error) {
    console.log(`- left out: pools under Node (${firstLine(error)})`);
    return [];
  }
  return Array.from(PACKAGES.keys(), (name) => {
    return [`${name}, Node`, { program: "node", args: [join(dir, "measure.mjs"), name] }];
  });
}

async function pythonPeers(): Promise<[string, Command][]> {
  if (!await isInstalled("python3")) {
    console.log("- left out: CPython's pools (python3 is not installed)");
    return [];
  }
  return [THREADS, PROCESSES].map((name) => {
    const className = name.split(",", 1)[0] ?? "";
    return [name, { program: "python3", args: [join(HERE, "measure.py"), className] }];
  });
}

async function copyMeasure(dir: string): Promise<void> {
  await Deno.mkdir(dir);
  for (const { name } of Deno.readDirSync(HERE)) {
    await Deno.copyFile(join(HERE, name), join(dir, name));
  }
}

/** Returns whether a pool runs one task. If not, prints the reason. */
async function works(name: string, { program, args }: Command): Promise<boolean> {
  try {
    await timed({ program, args: [...args, "probe"] }, { timeout: PROBE_MS });
    return true;
  } catch (error) {
    console.log(`- left out: ${name} (${firstLine(error)})`);
    return false;
  }
}

function firstLine(error: unknown): string {
  return String(error).split("\n", 1)[0] ?? "";
}

/** Returns the results of one job, or an empty array if the contestant has none. */
function resultsOf(job: JobName, rounds: readonly Figures[] = []): number[] {
  return rounds.map((figures) => figures[job]).filter((result) => result !== undefined);
}

function formatTable(jobs: JobName[], measured: Map<string, Figures[]>): string {
  const ours = measured.get(OURS);
  const rows = Array.from(measured, ([name, rounds]) => {
    const cells = jobs.map((job) => formatCell(job, resultsOf(job, rounds), resultsOf(job, ours)));
    return [name, ...cells];
  });
  // A row without a figure says nothing.
  const rowsWithFigures = rows.filter(([_name, ...cells]) => cells.some((cell) => cell !== "–"));
  return table(["", ...jobs.map((job) => JOBS[job].title)], rowsWithFigures);
}

function formatCell(job: JobName, results: number[], ours: number[]): string {
  if (results.length === 0) return "–";
  const { digits } = JOBS[job];
  // A share of the ideal is a ratio already.
  if (job === "compute") return medianAndSpread(results, digits);
  return `${medianAndSpread(results, digits)} (${ratio(results, ours)})`;
}

function printGoals(measured: Map<string, Figures[]>): void {
  const results = (job: JobName, name: string) => resultsOf(job, measured.get(name));
  console.log("\nGoals of this pool:\n");
  for (const { job, peer, limit } of GOALS) {
    if (!measured.has(peer)) continue;
    const times = ratio(results(job, OURS), results(job, peer));
    console.log(`- ${JOBS[job].title}: ${times} times ${peer}; goal: at most ${limit}`);
  }
  const share = median(results("compute", OURS)).toFixed(2);
  console.log(`- ${JOBS.compute.title}: ${share}; goal: at least ${LEAST_SHARE_OF_IDEAL}`);
  const poolifier = "poolifier, Node";
  if (measured.has(poolifier)) {
    const times = ratio(results("chunks", OURS), results("burst", poolifier));
    console.log(
      `- ${JOBS.chunks.title}: ${times} times single tasks of ${poolifier}; ` +
        `goal: at most ${MOST_OF_POOLIFIER}`,
    );
  }
}
