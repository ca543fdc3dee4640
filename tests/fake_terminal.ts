/** A terminal in the test process, for functions that print and exit. */
import { replace } from "./helpers.ts";

/** What `Deno.exit` throws in a test. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit with code ${code}`);
    this.code = code;
  }
}

/** The number of bytes that the terminal accepts at once, so that `print` needs several writes. */
const BYTES_AT_ONCE = 10;

/** Replaces stdout, stderr and `Deno.exit` until the end of the block. */
export class FakeTerminal implements Disposable {
  stdout = "";
  stderr = "";
  readonly #stack = new DisposableStack();

  /** Without `columns`, stdout and stderr are not a terminal. */
  constructor(columns?: number) {
    const decoder = new TextDecoder();
    this.#replace(Deno.stdout, "writeSync", (bytes) => {
      const accepted = bytes.subarray(0, BYTES_AT_ONCE);
      this.stdout += decoder.decode(accepted, { stream: true });
      return accepted.length;
    });
    this.#replace(Deno.stderr, "writeSync", (bytes) => {
      this.stderr += new TextDecoder().decode(bytes);
      return bytes.length;
    });
    this.#replace(console, "error", (line) => {
      this.stderr += `${line}\n`;
    });
    this.#replace(Deno, "exit", (code = 0) => {
      throw new Exit(code);
    });
    this.#replace(Deno, "consoleSize", () => ({ columns: columns ?? 0, rows: 24 }));
    for (const stream of [Deno.stdout, Deno.stderr]) {
      this.#replace(stream, "isTerminal", () => columns !== undefined);
    }
  }

  #replace<T extends object, K extends keyof T>(object: T, key: K, value: T[K]): void {
    this.#stack.use(replace(object, key, value));
  }

  /** Resolves to the code that `fn` exits with, or to `undefined` if it returns. */
  async exitCode(fn: () => unknown): Promise<number | undefined> {
    try {
      await fn();
      return undefined;
    } catch (error) {
      if (error instanceof Exit) return error.code;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
