/**
 * Gives each of the concurrent requests of a thread its own client, so that the requests do not
 * share kept connections.
 *
 * If a site has closed a kept connection, Deno retries the request itself, but may choose another
 * kept connection, which the site may have closed too. `fetchGif` would then send the request a
 * third time. With one kept connection for each client, Deno's retry needs a new connection.
 *
 * @module
 */

/** A client of `fetch`. `undefined` is Deno's own client. */
export type Client = Deno.HttpClient | undefined;

const idle: Client[] = [undefined];
let busyCount = 0;

/** Calls `request` with a client that no other request uses until the result is there. */
export async function withClient<T>(request: (client: Client) => Promise<T>): Promise<T> {
  const client = idle.length > 0 ? idle.pop() : Deno.createHttpClient({ poolMaxIdlePerHost: 1 });
  busyCount++;
  try {
    return await request(client);
  } finally {
    busyCount--;
    idle.push(client);
    if (busyCount === 0) closeIdle();
  }
}

/** Closes all clients except Deno's own. */
function closeIdle(): void {
  for (const client of idle.splice(0)) client?.close();
  idle.push(undefined);
}
