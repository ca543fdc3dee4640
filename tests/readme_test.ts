import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { assertShownAlike, type Command, Page, programFiles, runIn, workshop } from "./readme.ts";
import { command, isGranted, packageFlag, Printed, PROGRAM, ROOT, TempDir, test, testSideBySide } from "./testing.ts";
