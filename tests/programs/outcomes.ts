import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { POP20_CC } from "../../common/flag.ts";
import { DEFAULTS } from "../../common/options.ts";
import { countWhole, failures, flagSite, PROGRAMS } from "../flag_programs.ts";
import { droppingSite, GIF, hostileSite, ROWS } from "../hostile_site.ts";
import { ConcurrentTests, packageFlag, run, start } from "../testing.ts";

export const tests = new ConcurrentTests();

tests.addForEach(
  PROGRAMS,
  "reports each failure on one line and saves the other flags",
  async (program, dir) => {
    using site = hostileSite();
    Deno.mkdirSync(join(dir.path, "downloaded"));
    for (const cc of ["BR", "SH", "PX"]) {
      Deno.writeTextFileSync(join(dir.path, `downloaded/${cc}.gif`), "an older flag");
    }
    // flags.ts would wait for each timeout in turn, so give it only one.
    const codes = Object.keys(ROWS).filter((cc) => program !== "flags.ts" || cc !== "ST").sort();
    const { code, stdout, stderr } = await run(program, [...codes, "-s", site.url], dir);
    assertEquals(code, 1);
    const lines = codes.filter((cc) => ROWS[cc]?.line).map((cc) => `${cc}: ${ROWS[cc]?.line}`);
    assertEquals(failures(stderr), lines);
    const arriving = codes.filter((cc) => !ROWS[cc]?.line);
    const summary = `${arriving.length} downloads in \\d+\\.\\d\\ds, 1 not found, ` +
      `${lines.length - 1} errors`;
    assertMatch(stdout, RegExp(`\n${summary}\n$`));
    const older = new TextEncoder().encode("an older flag");
    const expected = new Map(arriving.map((cc) => [`${cc}.gif`, ROWS[cc]?.file ?? GIF]));
    for (const cc of ["SH", "PX"]) expected.set(`${cc}.gif`, older);
    assertEquals(dir.downloaded(), new Map([...expected].sort()));
  },
  { slow: true },
);

for (
  const [program, args, megabytes] of [
    ["flags_async.ts", ["--every", "-m", "200"], 150],
    ["flags_threadpool.ts", ["--all", "-m", "32"], 500],
  ] as const
) {
  tests.add(
    `${program} ${args.join(" ")} downloads all 243 flags within ${megabytes} MB`,
    async (dir) => {
      await using running = start(program, [...args, "-s", "LOCAL"], dir);
      let peak = 0;
      const timer = setInterval(() => {
        peak = Math.max(peak, residentMegabytes(running.pid));
      }, 10);
      const { code } = await running.end();
      clearInterval(timer);
      assertEquals([code, countWhole(dir)], [0, 243]);
      assertGreater(peak, 20);
      assertLess(peak, megabytes);
    },
    { only: "linux", slow: true },
  );
}

/** Returns the most memory that a process has had so far, or 0 if it has ended. */
function residentMegabytes(pid: number): number {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(status.match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

for (
  const [program, flags, connections] of [
    ["flags.ts", POP20_CC, 1],
    ["flags_threadpool.ts", POP20_CC, Math.min(20, DEFAULTS.threadpool.maxReq)],
    ["flags_async.ts", POP20_CC, 20],
    ["flags_futures.ts", POP20_CC.slice(0, 5), 3],
  ] as const
) {
  tests.add(`${program} downloads the ${flags.length} flags of the chapter`, async (dir) => {
    await using site = flagSite();
    const { code, stdout, stderr } = await run(program, ["-s", site.url], dir);
    const how = `${connections} connection${connections === 1 ? "" : "s"}`;
    assertEquals([code, stderr], [0, `${flags.length} flags from ${site.url}, ${how}\n`]);
    assertMatch(stdout, RegExp(`\n${flags.length} downloads in \\d+\\.\\d\\ds\n$`));
    const expected = flags.toSorted().map((cc) => [`${cc}.gif`, packageFlag(cc)] as const);
    assertEquals(dir.downloaded(), new Map(expected));
  });
}

/**
 * A site that waits for `expected` requests before it answers, and answers BR last. `most` is the
 * highest number of concurrent requests.
 */
class GatheringSite implements AsyncDisposable {
  most = 0;
  #current = 0;
  readonly #gathered = Promise.withResolvers<void>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #expected: number;

  constructor(expected: number) {
    this.#expected = expected;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      ({ url }) => this.#answer(url),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(url: string): Promise<Response> {
    this.#current++;
    this.most = Math.max(this.most, this.#current);
    if (this.#current === this.#expected) setTimeout(this.#gathered.resolve, 100);
    await this.#gathered.promise;
    await new Promise((resolve) => setTimeout(resolve, url.endsWith("br.gif") ? 500 : 50));
    this.#current--;
    return new Response(GIF);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

for (
  const [program, most, codes] of [
    ["flags.ts", 1, "BR CN DE EG ET"],
    ["flags_threadpool.ts", 4, "(?:[A-Z]{2} ){4}BR"],
    ["flags_async.ts", 4, "(?:[A-Z]{2} ){4}BR"],
  ] as const
) {
  tests.add(`${program} -m 4 prints the codes as they arrive, ${most} at a time`, async (dir) => {
    await using site = new GatheringSite(most);
    const args = ["BR", "CN", "DE", "EG", "ET", "-m", "4", "-s", site.url];
    const { stdout } = await run(program, args, dir);
    assertMatch(stdout, RegExp(`^${codes} \n5 downloads in \\d+\\.\\d\\ds\n$`));
    assertEquals(site.most, most);
  });
}

tests.add(
  "flags_futures.ts shows five futures: three running, two pending, then all finished",
  async (dir) => {
    await using site = flagSite();
    const { stdout } = await run("flags_futures.ts", ["-s", site.url], dir);
    const codes = ["BR", "CN", "ID", "IN", "US"];
    const lines = stdout.split("\n");
    assertEquals(
      lines.slice(0, 5),
      codes.map((cc, i) =>
        `Scheduled for ${cc}: <Future #${i + 1} state=${i < 3 ? "running" : "pending"}>`
      ),
    );
    assertEquals(
      lines.slice(5, 10).sort(),
      codes.map((cc, i) =>
        `${cc} <Future #${i + 1} state=finished returned string> result: '${cc}'`
      ),
    );
    assertMatch(lines.slice(10).join("\n"), /^\n5 downloads in \d+\.\d\ds\n$/);
  },
);

tests.add("flags_futures.ts shows a failure as a future that raised", async (dir) => {
  await using site = flagSite();
  const { code, stdout, stderr } = await run("flags_futures.ts", ["ZZ", "-s", site.url], dir);
  assertEquals([code, failures(stderr)], [1, ["ZZ: not found"]]);
  const [first, second, third] = stdout.split("\n");
  assertEquals([first, second], [
    "Scheduled for ZZ: <Future #1 state=running>",
    "<Future #1 state=finished raised Error> exception: 'not found'",
  ]);
  assertMatch(`${third}`, /^0 downloads in \d+\.\d\ds, 1 not found$/);
});

tests.add("flags_futures.ts -e does not interleave lines", async (dir) => {
  await using site = flagSite();
  const { code, stdout } = await run("flags_futures.ts", ["-e", "-m", "4", "-s", site.url], dir);
  assertEquals(code, 0);
  const lines = stdout.split("\n");
  assertEquals(
    lines.filter((line) => /^Scheduled for [A-Z]{2}: <Future #\d+ state=\w+>$/.test(line)).length,
    676,
  );
  const done = /^([A-Z]{2}) <Future #\d+ state=finished returned string> result: '\1'$/;
  assertEquals(lines.filter((line) => done.test(line)).length, 243);
  const failed = "state=finished raised Error> exception: 'not found'";
  assertEquals(
    lines.filter((line) => /^<Future #\d+ /.test(line) && line.endsWith(failed)).length,
    433,
  );
  assertEquals(lines.length - 676 - 676, 3);
});

tests.addForEach(
  PROGRAMS,
  "a code that was not given by name may have no flag",
  async (program, dir) => {
    await using site = flagSite();
    const { code, stdout, stderr } = await run(program, ["b", "-s", site.url], dir);
    assertEquals([code, failures(stderr)], [0, []]);
    assertMatch(stdout, /\n19 downloads in \d+\.\d\ds, 7 not found\n$/);
    assertEquals(countWhole(dir), 19);
  },
);

tests.add("ERROR fails a quarter of the requests, with a line for each", async (dir) => {
  const args = ["-a", "-m", "250", "-s", "ERROR"];
  const { code, stdout, stderr } = await run("flags_async.ts", args, dir);
  assertEquals(code, 1);
  const lines = failures(stderr);
  for (const line of lines) assertMatch(line, /^[A-Z]{2}: HTTP 418 I'm a teapot$/);
  // On average 61 of 243 requests fail (standard deviation 7). The bounds are far outside that.
  assertGreater(lines.length, 15);
  assertLess(lines.length, 125);
  assertEquals(countWhole(dir), 243 - lines.length);
  assertStringIncludes(stdout, `\n${243 - lines.length} downloads in `);
});

tests.add("two runs into the same directory both end with complete files", async (dir) => {
  await using site = flagSite();
  const args = ["-a", "-s", site.url];
  const programs = ["flags.ts", "flags_threadpool.ts", "flags_async.ts", "flags_async.ts"];
  const runs = await Promise.all(programs.map((program) => run(program, args, dir)));
  assertEquals(runs.map(({ code }) => code), [0, 0, 0, 0]);
  assertEquals(countWhole(dir), 243);
});

tests.addForEach(
  PROGRAMS,
  "retries if the site drops a keep-alive connection",
  async (program, dir) => {
    using site = droppingSite("second");
    const args = ["-a", "-l", "60", "-m", "6", "-s", site.url];
    const { code, stderr } = await run(program, args, dir);
    assertEquals([code, failures(stderr), dir.downloaded().size], [0, [], 60]);
  },
);
