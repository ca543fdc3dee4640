/**
 * Gives each download an HTTP client of its own, so that a flag is requested at most twice.
 *
 * If a site has dropped a kept connection, Deno 2.7 and later repeat the request themselves. If the
 * client has more kept connections, Deno may repeat the request on one that the site has dropped
 * too. A retry would then be the third request. Therefore, each client keeps one connection.
 *
 * @module
 */

/** The HTTP clients of a thread. */
export class Clients {
  /** The clients that are not in use, the longest rested first. */
  readonly #resting: Deno.HttpClient[] = [];
  #inUse = 0;

  /** Returns a client that has rested, or a new client. */
  borrow(): BorrowedClient {
    // Deno needs a moment to put a connection back into its client. A client that was used just now
    // would open another connection, so wait until more clients rest than are in use.
    const hasRested = this.#resting.length > this.#inUse;
    const rested = hasRested ? this.#resting.shift() : undefined;
    this.#inUse++;
    return new BorrowedClient(rested, (client) => {
      this.#inUse--;
      if (client) this.#resting.push(client);
    });
  }
}

/** A client that no other download uses until it is disposed. */
class BorrowedClient implements Disposable {
  readonly client: Deno.HttpClient;
  /** Whether the client has made no request before. */
  readonly isNew: boolean;
  readonly #giveBack: (client: Deno.HttpClient | undefined) => void;
  #isDiscarded = false;

  constructor(
    rested: Deno.HttpClient | undefined,
    giveBack: (client: Deno.HttpClient | undefined) => void,
  ) {
    this.client = rested ?? Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
    this.isNew = rested === undefined;
    this.#giveBack = giveBack;
  }

  /** Closes the client and its connection. Call this method if the connection failed. */
  discard(): void {
    this.#isDiscarded = true;
    this.client.close();
  }

  [Symbol.dispose](): void {
    this.#giveBack(this.#isDiscarded ? undefined : this.client);
  }
}
