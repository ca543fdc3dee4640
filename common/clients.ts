/**
 * Gives each download an HTTP client of its own, which keeps one connection to the site.
 *
 * If a site has dropped a kept connection, Deno 2.7 and later repeat the request themselves. If the
 * client kept more connections, Deno could choose another connection that the site has dropped.
 * A retry would then be the third request for the same flag.
 *
 * @module
 */

/** A client that no other download uses until the client is disposed of. */
export class BorrowedClient implements Disposable {
  /** The clients that are not in use. The client that has been idle longest comes first. */
  static readonly #resting: Deno.HttpClient[] = [];

  readonly client: Deno.HttpClient;
  /** Whether the client was created for this download. */
  readonly isNew: boolean;
  #isDiscarded = false;

  constructor() {
    const rested = BorrowedClient.#resting.shift();
    this.client = rested ?? Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
    this.isNew = rested === undefined;
  }

  /** Closes the client and its connection. Call this method if the connection failed. */
  discard(): void {
    this.#isDiscarded = true;
    this.client.close();
  }

  [Symbol.dispose](): void {
    if (!this.#isDiscarded) BorrowedClient.#resting.push(this.client);
  }
}
