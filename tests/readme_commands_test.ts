import { commands } from "./readme.ts";
import { isGranted, PROGRAM, testSideBySide } from "./testing.ts";

const cases = isGranted(PROGRAM) ? commands() : {};
testSideBySide("the commands of the README", cases, { needs: PROGRAM });
