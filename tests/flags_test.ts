import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { downloadOne, getFlag, saveFlag } from "../flags.ts";
import { type Flag, type Outcome, POP20_CC } from "../common/flag.ts";
import { spansOf } from "../common/run.ts";
import { serveFlags } from "../flags_server.ts";
import { downloadMany } from "../flags_threadpool.ts";
import { GIF, hostileSite, ROWS } from "./hostile_site.ts";
import { packageFlag, PROGRAM, TempDir, test, testSideBySide } from "./testing.ts";

/**
 * Tests each behavior of the hostile site, except those that hang. The programs' tests cover those.
 */
testSideBySide(
  "every behavior of a site gives a flag or a one-line error",
  Object.fromEntries(
    Object.entries(ROWS).filter(([, { then }]) => then !== "hang").map((
      [cc, { about, line, file = GIF }],
    ) => [about, async () => {
      using site = hostileSite();
      const flag = { cc, url: `${site.url}/${cc.toLowerCase()}/${cc.toLowerCase()}.gif` };
      if (line === undefined) return assertEquals(await getFlag(flag.url), file);
      const outcome = await downloadOne(flag);
      const status = line === "not found" ? line : "failed";
      assertEquals({ ...outcome }, { ...outcome, cc, status, line });
    }]),
  ),
  { needs: ["net"] },
);

/** Runs `fn` in an empty directory that has an empty `downloaded/`. */
async function inEmptyDirectory(fn: (dir: TempDir) => void | Promise<void>): Promise<void> {
  await using dir = new TempDir();
  const cwd = Deno.cwd();
  Deno.mkdirSync(join(dir.path, "downloaded"));
  Deno.chdir(dir.path);
  try {
    await fn(dir);
  } finally {
    Deno.chdir(cwd);
  }
}

test(
  "saveFlag writes downloaded/CC.gif and nothing else, and replaces an older file",
  () =>
    inEmptyDirectory((dir) => {
      saveFlag(packageFlag("US"), "BR");
      saveFlag(GIF, "BR");
      assertEquals(dir.downloaded(), new Map([["BR.gif", GIF]]));
    }),
  { needs: ["read", "write"] },
);

test("saveFlag never lets others read half of a flag", () =>
  inEmptyDirectory(() => {
    saveFlag(GIF, "BR");
    using open = Deno.openSync("downloaded/BR.gif");
    saveFlag(new Uint8Array([...GIF, 1]), "BR");
    assertEquals(open.statSync().size, GIF.length);
    assertEquals(Deno.statSync("downloaded/BR.gif").size, GIF.length + 1);
  }), { needs: ["read", "write"] });

test(
  "downloadOne returns what arrived, when, and in which thread",
  () =>
    inEmptyDirectory(async (dir) => {
      await using site = serveFlags();
      const url = `http://127.0.0.1:${site.addr.port}/flags/br/br.gif`;
      const before = performance.timeOrigin + performance.now();
      const outcome = await downloadOne({ cc: "BR", url });
      const after = performance.timeOrigin + performance.now();
      const { start, end } = outcome;
      const thread = performance.timeOrigin;
      assertEquals(outcome, { cc: "BR", start, end, thread, status: "ok", bytes: 361 });
      assert(before <= start && start < end && end <= after);
      assertEquals(dir.downloaded(), new Map([["BR.gif", packageFlag("BR")]]));
    }),
  { needs: ["read", "write", "net"] },
);

for (
  const [about, status, block] of [
    [
      "if the target is a directory, only that flag fails",
      "failed",
      () => Deno.mkdirSync("downloaded/BR.gif"),
    ],
    [
      "if downloaded/ is missing, no flag can be saved",
      "unwritable",
      () => Deno.removeSync("downloaded"),
    ],
  ] as const
) {
  test(about, () =>
    inEmptyDirectory(async () => {
      await using site = serveFlags();
      block();
      const url = `http://127.0.0.1:${site.addr.port}/flags/br/br.gif`;
      const outcome = await downloadOne({ cc: "BR", url });
      assertEquals(outcome.status, status);
      const line = outcome.status === "ok" ? "" : outcome.line;
      assertMatch(line, /^cannot write downloaded\/BR\.gif: [A-Z][a-z ]+$/);
    }), { needs: ["read", "write", "net"], only: "unix" });
}

test(
  "in a run of the pool, the bars of a lane do not overlap, and end when the run ends",
  () =>
    inEmptyDirectory(async () => {
      await using site = serveFlags({ delay: [0.05, 0.15] });
      const flags = POP20_CC.map((cc): Flag => {
        const name = cc.toLowerCase();
        return { cc, url: `http://127.0.0.1:${site.addr.port}/flags/${name}/${name}.gif` };
      });
      const outcomes: Outcome[] = [];
      const begin = performance.timeOrigin + performance.now();
      await downloadMany(flags, 6, (outcome) => outcomes.push(outcome));
      const took = performance.timeOrigin + performance.now() - begin;

      const spans = spansOf(outcomes, begin);
      assertEquals(new Set(spans.map(({ lane }) => lane)), new Set([0, 1, 2, 3, 4, 5]));
      assert(spans.every(({ ok }) => ok));
      for (const lane of Map.groupBy(spans, ({ lane }) => lane).values()) {
        lane.reduce((before, span) => {
          assertLess(before.end, span.start + 0.001);
          return span;
        });
      }
      const last = Math.max(...spans.map(({ end }) => end));
      assertLess(last, took + 1);
      assertLess(took, last + 200);
    }),
  { needs: PROGRAM },
);
