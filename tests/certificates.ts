/**
 * Helpers for the tests of sites with TLS.
 *
 * @module
 */
import { assert } from "@std/assert";
import { join } from "@std/path";
import { PROGRAM, type TempDir, type TestOptions, unlessInstalled } from "./testing.ts";

export const NEEDS_OPENSSL: TestOptions = { needs: PROGRAM, ignore: unlessInstalled("openssl") };

interface Certificate {
  cert: string;
  key: string;
}

/** Makes a self-signed certificate. `extensions` are in the format of `openssl req -addext`. */
export async function makeCertificate(dir: TempDir, ...extensions: string[]): Promise<Certificate> {
  const keyFile = join(dir.path, "key.pem");
  const certFile = join(dir.path, "cert.pem");
  const { success } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
      ...["-keyout", keyFile, "-out", certFile],
      ...extensions.flatMap((extension) => ["-addext", extension]),
    ],
    stderr: "null",
  }).output();
  assert(success, "expected openssl to make a certificate");
  return { cert: Deno.readTextFileSync(certFile), key: Deno.readTextFileSync(keyFile) };
}
