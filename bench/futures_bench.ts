/**
 * Our pool of workers against bare messages, against the pools that npm has, under Node, and against
 * CPython's own: figures, how far they spread, ratios, and the goals.
 *
 * ```console
 * $ deno task bench futures
 * ```
 *
 * It takes about two minutes. The same for all: the tasks, the measurements, default options, two
 * workers (`compute`: all cores). The contenders take turns, each time in a process of its own, which goes
 * over everything twice: with fewer tasks, for its compiler, and then for the figures. A pool has run
 * 2,000 tasks before its clock starts, except for `first`. All results are checked.
 *
 * `bare` is no pool but what is below one: Deno's workers in turn, a message there and a message back.
 * `in order` is the same with one message a worker under way, the floor of a pool that keeps the order.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { has, machine, median, spread, table, timed } from "./bench.ts";

const ROUNDS = 3;
const HERE = fromFileUrl(new URL("futures", import.meta.url));
const NPM = { piscina: "5.3.2", tinypool: "2.2.0", workerpool: "10.0.3", poolifier: "5.3.2" };
const CPYTHON = ["ThreadPoolExecutor", "ProcessPoolExecutor"];

const ROWS = {
  burst: { title: "20,000 tasks at once, ms", digits: 0 },
  map: { title: "the same, `chunkSize` 100, ms", digits: 1 },
  trip: { title: "one at a time, µs each", digits: 1 },
  first: { title: "first result of a new pool, ms", digits: 1 },
  compute: { title: "200 × 5 ms, of the ideal", digits: 2 },
};

type Row = keyof typeof ROWS;

/** What ours is to be, in times of a peer's. */
const GOALS: [Row, "at most" | "at least", number, peer: string][] = [
  ["burst", "at most", 1.5, "in order"],
  ["burst", "at most", 1.1, "piscina"],
  ["burst", "at most", 1, "tinypool"],
  ["burst", "at most", 1, "workerpool"],
  ["burst", "at most", 0.5, "ProcessPoolExecutor"],
  ["map", "at most", 0.5, "ProcessPoolExecutor"],
  ["trip", "at most", 1.5, "bare"],
  ["first", "at most", 1.5, "bare"],
  ["compute", "at least", 0.9, "the ideal"],
];

/** What each contender measured, round by round. */
const measured = new Map<string, Partial<Record<Row, number>>[]>();

/** What the rounds gave; nothing for a contender that is absent, or that has nothing of the kind. */
function figures(row: Row, name: string): number[] {
  return measured.get(name)?.flatMap((figures) => figures[row] ?? []) ?? [];
}

console.log(await machine());
const dir = await Deno.makeTempDir({ prefix: "futures_bench" });
try {
  const commands = new Map<string, [string, string[]]>();
  for (const name of ["ours", "in order", "bare"]) {
    commands.set(name, [Deno.execPath(), ["run", "-A", join(HERE, "contender.mjs"), name]]);
  }
  try {
    const pinned = Object.entries(NPM).map(([name, version]) => `${name}@${version}`);
    await timed("npm", ["install", "--prefix", dir, "--fetch-retries=0", ...pinned]);
    const { output } = await timed("node", ["--version"]);
    console.log(`Node ${output.trim()}; npm installed ${pinned.join(", ")}`);
    for (const { name } of Deno.readDirSync(HERE)) {
      await Deno.copyFile(join(HERE, name), join(dir, name));
    }
    for (const name in NPM) commands.set(name, ["node", [join(dir, "contender.mjs"), name]]);
  } catch (error) {
    console.log(`skipped: ${Object.keys(NPM).join(", ")} (${String(error).split("\n")[0]})`);
  }
  if (await has("python3")) {
    for (const name of CPYTHON) commands.set(name, ["python3", [join(HERE, "contender.py"), name]]);
  } else {
    console.log(`skipped: ${CPYTHON.join(", ")} (no python3)`);
  }

  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, command] of commands) {
      const figures = JSON.parse((await timed(...command)).output);
      measured.set(name, [...measured.get(name) ?? [], figures]);
    }
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}

console.log(`\nMedian of ${ROUNDS} rounds, how far they spread (and how many times ours):\n`);
console.log(table(
  ["", ...measured.keys()],
  (Object.keys(ROWS) as Row[]).map((row) => {
    const cells = Array.from(measured.keys(), (name) => {
      const all = figures(row, name);
      if (all.length === 0) return "–";
      const ratio = (median(all) / median(figures(row, "ours"))).toFixed(2);
      return `${median(all).toFixed(ROWS[row].digits)} ${spread(all)} (${ratio})`;
    });
    return [ROWS[row].title, ...cells];
  }),
));

console.log("\nGoals of ours:\n");
for (const [row, bound, limit, peer] of GOALS) {
  const peers = peer === "the ideal" ? [1] : figures(row, peer);
  if (peers.length === 0) continue;
  const ratio = (median(figures(row, "ours")) / median(peers)).toFixed(2);
  console.log(`- ${ROWS[row].title}: ${ratio} times ${peer}; the goal is ${bound} ${limit}`);
}
const few = median(figures("map", "ours")) / median(figures("burst", "poolifier"));
if (few) {
  console.log(`- ${ROWS.map.title}: ${few.toFixed(2)} of poolifier's single tasks; at most 0.1`);
}
