/**
 * Runs the cases of `tests/programs/`. Programs mostly wait, so the cases of all files run side by
 * side. An argument selects the cases whose names contain it:
 * `deno test -A tests/programs_test.ts -- signals`.
 *
 * @module
 */
import { tests as commands } from "./programs/commands.ts";
import { tests as compare } from "./programs/compare.ts";
import { tests as disk } from "./programs/disk.ts";
import { tests as faults } from "./programs/faults.ts";
import { tests as mistakes } from "./programs/mistakes.ts";
import { tests as options } from "./programs/options.ts";
import { tests as outcomes } from "./programs/outcomes.ts";
import { tests as output } from "./programs/output.ts";
import { tests as permissions } from "./programs/permissions.ts";
import { tests as pipes } from "./programs/pipes.ts";
import { tests as procPool } from "./programs/proc_pool.ts";
import { tests as proxies } from "./programs/proxies.ts";
import { tests as signals } from "./programs/signals.ts";
import { tests as timeline } from "./programs/timeline.ts";
import { ConcurrentTests } from "./testing.ts";

const subjects = {
  outcomes,
  signals,
  faults,
  commands,
  permissions,
  pipes,
  compare,
  "proc_pool.ts": procPool,
  mistakes,
  options,
  output,
  disk,
  proxies,
  timeline,
};

const tests = new ConcurrentTests();
for (const [subject, cases] of Object.entries(subjects)) tests.addAll(subject, cases);
tests.define("programs", Deno.args[0]);
