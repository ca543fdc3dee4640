/**
 * Runs and times the processes that the benchmarks compare.
 *
 * @module
 */

/** The time between two measurements of the memory of a process. */
const MEMORY_INTERVAL_MS = 20;

/** A program and its arguments. */
export interface Command {
  program: string;
  args: string[];
}

/** Settings of `timed`. */
export interface TimedOptions {
  /** The working directory. Default: the current directory. */
  cwd?: string;
  /** After this number of milliseconds, the process is killed. Default: no limit. */
  timeout?: number;
  /** Whether to measure the memory of the process. Default: `false`. */
  measureMemory?: boolean;
}

/** What `timed` measured. */
export interface Timed {
  /** The wall time from the start of the process to its end. */
  seconds: number;
  /** Everything that the process wrote to stdout. */
  stdout: string;
  /**
   * The largest amount of memory that the process held at any time, without its children.
   * `undefined` if it was not measured or the system has no `/proc`.
   */
  peakMiB: number | undefined;
}

/**
 * Runs a command and times the whole process.
 *
 * @throws {Error} if the process fails, with its stderr; or if the process exceeds the timeout
 * @throws {Deno.errors.NotFound} if the program does not exist
 */
export async function timed(command: Command, options: TimedOptions = {}): Promise<Timed> {
  const { program, args } = command;
  const began = performance.now();
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options.cwd === undefined ? {} : { cwd: options.cwd },
  }).spawn();
  using memory = options.measureMemory ? new MemoryWatch(child.pid) : undefined;
  using limit = options.timeout === undefined ? undefined : new KillTimer(child, options.timeout);
  const output = await child.output();
  const seconds = (performance.now() - began) / 1000;

  if (limit?.hasFired) throw new Error(`no result within ${options.timeout} ms`);
  const decoder = new TextDecoder();
  if (!output.success) {
    const stderr = decoder.decode(output.stderr);
    throw new Error(`${program} ${args.join(" ")} failed: ${stderr}`);
  }
  return { seconds, stdout: decoder.decode(output.stdout), peakMiB: memory?.peakMiB };
}

/** Reads the peak memory of a process again and again, because `/proc` forgets an ended process. */
class MemoryWatch implements Disposable {
  peakMiB: number | undefined;
  readonly #status: string;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number) {
    this.#status = `/proc/${pid}/status`;
    this.#timer = setInterval(() => this.#read(), MEMORY_INTERVAL_MS);
  }

  async #read(): Promise<void> {
    const status = await Deno.readTextFile(this.#status).catch(() => "");
    const kiB = /^VmHWM:\s*(\d+)/m.exec(status)?.[1];
    if (kiB !== undefined) this.peakMiB = Number(kiB) / 1024;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Kills a process after `timeout` milliseconds. */
class KillTimer implements Disposable {
  hasFired = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(child: Deno.ChildProcess, timeout: number) {
    this.#timer = setTimeout(() => {
      this.hasFired = true;
      child.kill("SIGKILL");
    }, timeout);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Returns the first line that `program --version` prints, or `undefined` if the program is not
 * installed.
 */
export async function version(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await timed({ program, args: ["--version"] });
    return stdout.split("\n", 1)[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Returns whether `program` is installed. */
export async function isInstalled(program: string): Promise<boolean> {
  return await version(program) !== undefined;
}

/**
 * Describes the machine: the processor, the system, and the versions of the programs that the
 * benchmarks use.
 */
export async function describeMachine(): Promise<string> {
  const cpuInfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const model = /^model name\s*:\s*(.+)$/m.exec(cpuInfo)?.[1] ?? Deno.build.arch;
  const node = await version("node");
  const versions = [
    `Deno ${Deno.version.deno} (V8 ${Deno.version.v8})`,
    node === undefined ? undefined : `Node ${node}`,
    await version("python3"),
    await version("cc"),
    // The first line also names the libraries that curl uses.
    (await version("curl"))?.split(" (", 1)[0],
  ];
  return [
    `- ${model}, ${navigator.hardwareConcurrency} cores, ${Deno.build.os}`,
    `- ${versions.filter((text) => text !== undefined).join(", ")}`,
    `- load average at the start: ${Deno.loadavg()[0]?.toFixed(2)}`,
  ].join("\n");
}
