/**
 * Compares the worker pool with bare messages, with npm's pools under Deno and under Node, and with
 * CPython's pools.
 *
 * @module
 */
import { join } from "@std/path";
import { figure, findPython, findWorking, firstLine, pathOf } from "./shared.ts";
import { printTable, type Program, run, takeTurns } from "./shared.ts";

const PACKAGES = { piscina: "5.3.2", workerpool: "10.0.3", poolifier: "5.3.2" };
const HERE = pathOf("./futures");
/** The pool that the others are compared with. It is the first contestant. */
const OURS = "this pool";
/** The number of columns of the first table. */
const SHORT_TASKS = 4;

/** The figures of one round. A pool may not have every figure. */
type Figures = Record<string, number>;

/** Runs the benchmark, which takes about seven minutes, and prints its tables. */
export async function benchmarkFutures(): Promise<void> {
  console.log("\n## The pool\n");
  const dir = await Deno.makeTempDir({ prefix: "futures_bench" });
  try {
    await install(dir);
    const pools = await findWorking(await listPools(dir));
    const measured = await takeTurns(pools, measure);
    const columns = Object.keys(measured.get(OURS)?.[0] ?? {});
    console.log("\n### Short tasks");
    printFigures(columns.slice(0, SHORT_TASKS), measured);
    console.log("\n### Long tasks and large values");
    printFigures(columns.slice(SHORT_TASKS), measured);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Installs the packages in `dir`, beside a copy of the programs that import them. */
async function install(dir: string): Promise<void> {
  for (const { name } of Deno.readDirSync(HERE)) {
    await Deno.copyFile(join(HERE, name), join(dir, name));
  }
  const project = { type: "module", dependencies: PACKAGES };
  await Deno.writeTextFile(join(dir, "package.json"), JSON.stringify(project));
  try {
    await run([Deno.execPath(), "install"], { cwd: dir });
  } catch (error) {
    console.log(`- cannot install the pools from npm (${firstLine(error)})`);
  }
}

async function listPools(dir: string): Promise<Program[]> {
  const deno = [Deno.execPath(), "run", "-A"];
  const python = [await findPython(), join(HERE, "measure.py")];
  // Without env, Deno runs itself if Node is not installed.
  const node = ["/usr/bin/env", "node"];
  const names = Object.keys(PACKAGES);
  return [
    pool(OURS, [...deno, join(HERE, "measure.mjs"), "futures"]),
    pool("bare messages", [...deno, join(HERE, "measure.mjs"), "messages"]),
    ...names.map((name) => pool(`${name}, Deno`, [...deno, join(dir, "measure.mjs"), name])),
    ...names.map((name) => pool(`${name}, Node`, [...node, join(dir, "measure.mjs"), name])),
    pool("threads, CPython", [...python, "ThreadPoolExecutor"]),
    pool("processes, CPython", [...python, "ProcessPoolExecutor"]),
  ];
}

function pool(name: string, command: string[]): Program {
  return { name, command, probe: [...command, "probe"] };
}

async function measure({ command }: Program): Promise<Figures> {
  return JSON.parse((await run(command)).stdout);
}

function printFigures(columns: string[], measured: Map<string, Figures[]>): void {
  const valuesOf = (name: string, column: string) => {
    const values = measured.get(name)?.map((figures) => figures[column]) ?? [];
    return values.filter((value) => value !== undefined);
  };
  const rows = Array.from(measured.keys(), (name) => {
    return [
      name,
      ...columns.map((column) => figure(valuesOf(name, column), valuesOf(OURS, column))),
    ];
  });
  printTable(["", ...columns], rows);
}
