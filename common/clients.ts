/**
 * Gives each download an HTTP client of its own, so that a flag is requested at most twice.
 *
 * If a site has dropped a kept connection, Deno 2.7 and later repeat the request themselves. If the
 * client has more kept connections, Deno may repeat the request on one that the site has dropped
 * too. A retry would then be the third request. Therefore, each client keeps one connection.
 *
 * @module
 */

/** A client that no other download uses until it is disposed. */
export interface BorrowedClient extends Disposable {
  readonly client: Deno.HttpClient;
}

/** The HTTP clients of a thread. */
export class Clients {
  /** The clients that are not in use. The client that was used last is the last. */
  readonly #resting: Deno.HttpClient[] = [];
  #inUse = 0;

  /** Returns a client that has rested, or a new client. */
  borrow(): BorrowedClient {
    // Deno needs a moment to put a connection back into its client. A client that was used just now
    // would open another connection, so wait until as many clients rest as are in use.
    const hasRested = this.#resting.length > this.#inUse;
    const client = (hasRested ? this.#resting.shift() : undefined) ??
      Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
    this.#inUse++;
    return { client, [Symbol.dispose]: () => this.#putBack(client) };
  }

  #putBack(client: Deno.HttpClient): void {
    this.#inUse--;
    this.#resting.push(client);
  }
}
