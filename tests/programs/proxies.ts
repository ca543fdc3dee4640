import { assertEquals, assertMatch } from "@std/assert";
import { countWhole, DOWNLOADERS, failures, PROGRAMS } from "../flag_programs.ts";
import { GIF } from "../hostile_site.ts";
import { command, ConcurrentTests, deno, output, programArgs } from "../testing.ts";

export const tests = new ConcurrentTests();

/** Returns variables that name a proxy on a port that nothing listens on. */
function deadProxy(): Record<string, string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}`;
  return { HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url, all_proxy: url };
}

tests.addForEach(
  DOWNLOADERS,
  "requests the built-in site without a proxy",
  async (program, dir) => {
    const options = { cwd: dir.path, env: deadProxy() };
    const { code, stderr } = await output(command(program, ["BR", "US"], options));
    assertEquals([code, failures(stderr), countWhole(dir)], [0, [], 2]);
  },
);

tests.addForEach(
  PROGRAMS,
  "without --allow-env=NO_PROXY, an unreachable proxy is reported for each flag",
  async (program, dir) => {
    const args = programArgs(program, ["BR", "US"], "--allow-env");
    const options = { cwd: dir.path, env: deadProxy() };
    const { code, stderr } = await output(deno(args, options));
    assertEquals([code, failures(stderr).length], [1, 2]);
    for (const line of failures(stderr)) assertMatch(line, /^(BR|US): could not connect to .+$/);
  },
);

tests.addForEach(
  PROGRAMS,
  "requests any other site through the proxy",
  async (program, dir) => {
    const asked: string[] = [];
    const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
    await using proxy = Deno.serve(options, ({ url }) => {
      asked.push(url);
      return new Response(GIF);
    });
    const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}` };
    const args = ["BR", "US", "-s", "http://flags.invalid/flags"];
    const { code, stderr } = await output(command(program, args, { cwd: dir.path, env }));
    assertEquals([code, failures(stderr)], [0, []]);
    assertEquals(asked.map((url) => url.slice(-10)).sort(), ["/br/br.gif", "/us/us.gif"]);
    assertEquals([...dir.downloaded().values()], [GIF, GIF]);
  },
);

tests.add("REMOTE is the site of the book, and is requested through the proxy", async (dir) => {
  const options = { cwd: dir.path, env: deadProxy() };
  const { code, stderr } = await output(command("flags.ts", ["BR", "-s", "remote"], options));
  const [first, line = ""] = stderr.split("\n");
  const url = "https://www.fluentpython.com/data/flags";
  assertEquals([code, first], [1, `1 flag from REMOTE (${url}), 1 connection`]);
  assertMatch(line, /^BR: could not connect to https:\/\/www\.fluentpython\.com \(.+\)$/);
});
