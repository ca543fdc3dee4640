/**
 * Downloads flags one after another: each waits until the one before has arrived.
 *
 * ```console
 * $ deno run -A flags.ts
 * 20 flags from LOCAL (http://127.0.0.1:42443/flags), 1 connection
 * BD BR CD CN DE EG ET FR ID IN IR KR MX NG PH PK RU TR US VN
 * 20 downloads in 5.60s
 * ```
 *
 * @module
 */
import {
  attempt,
  deadline,
  DEST_DIR,
  type Flag,
  FlagError,
  main,
  type Outcome,
  raiseForStatus,
  readGif,
  reason,
} from "./flags_cli.ts";

/** The image of a flag. Redirects are followed; a status other than 2xx is an error. */
export async function getFlag(flag: Flag): Promise<Uint8Array> {
  const response = await fetch(flag.url, { signal: deadline(flag) });
  await raiseForStatus(response);
  return await readGif(response);
}

/** Writes `downloaded/CC.gif`, whole or not at all: under a name of this process's own first. */
export async function saveFlag(image: Uint8Array, cc: string): Promise<void> {
  const path = `${DEST_DIR}/${cc}.gif`;
  const unfinished = `${DEST_DIR}/.${cc}.gif.${Deno.pid}`;
  try {
    await Deno.writeFile(unfinished, image);
    await Deno.rename(unfinished, path);
  } catch (error) {
    await Deno.remove(unfinished).catch(() => {});
    throw new FlagError("unwritable", `cannot write ${path}: ${reason(error)}`);
  }
}

/** Gets a flag and saves it. What becomes of it is no exception but an outcome. */
export function downloadOne(flag: Flag): Promise<Outcome> {
  return attempt(flag, async () => {
    const image = await getFlag(flag);
    await saveFlag(image, flag.cc);
    return image.length;
  });
}

export async function downloadMany(flags: Flag[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const flag of flags) {
    outcomes.push(await downloadOne(flag));
  }
  return outcomes;
}

if (import.meta.main) await main(downloadMany);
