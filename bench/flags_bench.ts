/**
 * The flags programs against CPython and curl, as whole processes, on our own site in a process of its
 * own: 20 flags that take 0.3 s each, and all 243 without delay.
 *
 * ```console
 * $ deno task bench flags
 * ```
 *
 * It takes about two minutes. Every run gets an empty directory, and must leave all the flags in it. The
 * contenders take turns.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { POP20_CC } from "../common/flag.ts";
import { flagCodes } from "../flags_server.ts";
import { has, machine, median, spread, table, timed } from "./bench.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const WORKERS = Math.min(32, navigator.hardwareConcurrency + 4);
const IN_FLIGHT = 30;
const DELAY = 0.3;

interface Contender {
  name: string;
  /** Requests at the same time. */
  connections: number;
  command(url: string, codes: readonly string[]): [string, string[]];
}

function ours(program: string, connections: number): Contender {
  return {
    name: program,
    connections,
    command: (url, codes) => [
      Deno.execPath(),
      ["run", "-A", join(ROOT, program), "-s", url, "-m", `${connections}`, ...codes],
    ],
  };
}

function python(name: string, mode: string, connections: number): Contender {
  return {
    name: `CPython ${name}`,
    connections,
    command: (url, codes) => [
      "python3",
      [join(ROOT, "bench/flags_peers.py"), mode, `${connections}`, url, ...codes],
    ],
  };
}

async function contenders(): Promise<Contender[]> {
  const all = [
    ours("flags.ts", 1),
    ours("flags_threadpool.ts", WORKERS),
    ours("flags_futures.ts", WORKERS),
    ours("flags_async.ts", IN_FLIGHT),
  ];
  if (await has("python3")) {
    all.push(
      python("urllib", "sequential", 1),
      python("ThreadPoolExecutor", "threads", WORKERS),
      python("asyncio streams", "streams", IN_FLIGHT),
    );
    const httpx = await new Deno.Command("python3", {
      args: ["-c", "import httpx"],
      stderr: "null",
    })
      .output();
    if (httpx.success) all.push(python("asyncio httpx", "httpx", IN_FLIGHT));
    else console.log("httpx is not installed: skipped");
  } else console.log("python3 is not installed: skipped");
  if (await has("curl")) {
    all.push({
      name: "curl --parallel",
      connections: IN_FLIGHT,
      command: (url, codes) => [
        "curl",
        ["-s", "--fail", "--parallel", "--parallel-max", `${IN_FLIGHT}`].concat(
          codes.flatMap((cc) => ["-o", `${cc}.gif`, `${url}/${cc}/${cc}.gif`.toLowerCase()]),
        ),
      ],
    });
  } else console.log("curl is not installed: skipped");
  return all;
}

/** Starts the site, calls `use` with its URL, and stops it. */
async function withSite<T>(delay: number, use: (url: string) => Promise<T>): Promise<T> {
  const args = ["run", "-A", join(ROOT, "flags_server.ts"), "0", "--delay", `${delay}-${delay}`];
  const site = new Deno.Command(Deno.execPath(), { args, stdout: "piped" }).spawn();
  const reader = site.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    const line = (await reader.read()).value ?? "";
    const url = line.match(/http:\S+\/flags/)?.[0];
    if (!url) throw new Error(`the site did not start: ${line}`);
    return await use(url);
  } finally {
    site.kill();
    await reader.cancel();
    await site.status;
  }
}

/** What runs gave: the seconds of each, and the most memory. */
interface Measured {
  seconds: number[];
  megabytes: number;
}

/** Runs a contender in turn with others, each in an empty directory, and checks what it leaves there. */
async function rounds(
  count: number,
  all: Contender[],
  url: string,
  codes: readonly string[],
): Promise<Map<Contender, Measured>> {
  const runs = new Map(
    all.map((contender) => [contender, { seconds: [], megabytes: 0 } as Measured]),
  );
  for (let round = 0; round < count; round++) {
    for (const [{ name, command }, measured] of runs) {
      const cwd = await Deno.makeTempDir({ prefix: "flags_bench" });
      try {
        const { seconds, peakMiB = NaN } = await timed(...command(url, codes), { cwd });
        const dir = name.endsWith(".ts") ? join(cwd, "downloaded") : cwd;
        const files = [...Deno.readDirSync(dir)].length;
        if (files !== codes.length) {
          throw new Error(`${name}: expected ${codes.length} files, got ${files}`);
        }
        measured.seconds.push(seconds);
        measured.megabytes = Math.max(measured.megabytes, peakMiB);
      } finally {
        await Deno.remove(cwd, { recursive: true });
      }
    }
  }
  return runs;
}

/** Seconds from the start of each contender's process to its first request: the median of 5 runs. */
async function firstRequests(
  all: Contender[],
  codes: readonly string[],
): Promise<Map<Contender, number>> {
  let first = Infinity;
  await using site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    first = Math.min(first, performance.now());
    return new Response(image);
  });
  const image = await Deno.readFile(
    new URL(import.meta.resolve("famfamfam-flags/dist/gif/br.gif")),
  );
  const medians = new Map<Contender, number>();
  const cwd = await Deno.makeTempDir({ prefix: "flags_bench" });
  for (const contender of all) {
    const waits = [];
    for (let run = 0; run < 5; run++) {
      first = Infinity;
      const began = performance.now();
      await timed(...contender.command(`http://127.0.0.1:${site.addr.port}`, codes), { cwd });
      waits.push((first - began) / 1000);
    }
    medians.set(contender, median(waits));
  }
  await Deno.remove(cwd, { recursive: true });
  return medians;
}

const all = await contenders();
console.log(await machine());

const helps = [];
for (let i = 0; i < 5; i++) {
  const args = ["run", "-A", join(ROOT, "flags_async.ts"), "--help"];
  helps.push((await timed(Deno.execPath(), args)).seconds);
}
const start = median(helps);
console.log(`process start (flags_async.ts --help): ${start.toFixed(3)} s\n`);

console.log(
  `(a) ${POP20_CC.length} flags, ${DELAY} s each: median of 3 runs, how far they spread\n`,
);
const late = await withSite(DELAY, (url) => rounds(3, all, url, POP20_CC));
console.log(table(
  ["program", "connections", "s", "ideal s", "s / (ideal + start)", "MiB"],
  Array.from(late, ([{ name, connections }, { seconds, megabytes }]) => {
    const ideal = Math.ceil(POP20_CC.length / connections) * DELAY;
    const ratio = name.endsWith(".ts") ? (median(seconds) / (ideal + start)).toFixed(2) : "";
    const s = `${median(seconds).toFixed(2)} ${spread(seconds)}`;
    return [name, connections, s, ideal.toFixed(1), ratio, megabytes.toFixed()];
  }),
));

const codes = flagCodes();
console.log(`\n(b) ${codes.length} flags without delay: median of 9 runs, how far they spread\n`);
const prompt = await withSite(0, (url) => rounds(9, all, url, codes));
const before = await firstRequests(all, codes);
const least = Math.min(...Array.from(prompt.values(), ({ seconds }) => median(seconds)));
console.log(table(
  ["program", "connections", "s", "times the fastest", "s before its first request", "MiB"],
  Array.from(prompt, ([contender, { seconds, megabytes }]) => [
    contender.name,
    contender.connections,
    `${median(seconds).toFixed(3)} ${spread(seconds)}`,
    (median(seconds) / least).toFixed(2),
    (before.get(contender) ?? NaN).toFixed(3),
    megabytes.toFixed(),
  ]),
));
console.log();
const of = (name: string) =>
  [...prompt].flatMap(([contender, { seconds }]) => contender.name === name ? median(seconds) : []);
for (
  const [program, limit, peer] of [
    ["flags_async.ts", 1.8, "curl --parallel"],
    ["flags_threadpool.ts", 1, "CPython ThreadPoolExecutor"],
  ] as const
) {
  const [ours = NaN] = of(program);
  for (const theirs of of(peer)) {
    console.log(
      `- ${program}: ${(ours / theirs).toFixed(2)} times ${peer}; the goal is at most ${limit}`,
    );
  }
}
