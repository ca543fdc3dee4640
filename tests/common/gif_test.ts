/** A GIF is complete if its header, extensions and images are followed by a trailer. */
import { assertEquals } from "@std/assert";
import { hasGifSignature, isCompleteGif } from "../../common/gif.ts";
import { flagCodes } from "../../common/site.ts";
import { imageOf, isGranted } from "../helpers.ts";

const ignore = !isGranted("read");

const TRAILER = 0x3b;
/** The code size and the blocks of one pixel. */
const PIXEL = [2, 2, 0x44, 1, 0];

/** Returns the header of an image of one pixel. `flags` says whether a color table follows. */
function header(flags: number): number[] {
  return [...new TextEncoder().encode("GIF89a"), 1, 0, 1, 0, flags, 0, 0];
}

/** Returns an image. `data` is its color table, if it has one, its code size and its blocks. */
function image(flags: number, ...data: number[]): number[] {
  return [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, flags, ...data];
}

const COLORS = Array<number>(3 * 8).fill(TRAILER);
const EMPTY_BLOCKS = [...header(0), 0x21, 0xfe, 1, TRAILER, 0, 0, ...image(0, ...PIXEL), 0, 0];

const COMPLETE: [what: string, bytes: number[]][] = [
  ["with flags but no colors", [...header(0x77), ...image(0, ...PIXEL), TRAILER]],
  ["with 8 colors for its image", [...header(0), ...image(0x82, ...COLORS, ...PIXEL), TRAILER]],
  ["with empty blocks before the next part", [...EMPTY_BLOCKS, TRAILER]],
  ["with bytes after its trailer", [...header(0), ...image(0, ...PIXEL), TRAILER, 1, 2, 3]],
];

for (const [what, bytes] of COMPLETE) {
  Deno.test(`isCompleteGif accepts a GIF ${what}`, () => {
    assertEquals(isCompleteGif(new Uint8Array(bytes)), true);
  });
}

Deno.test("isCompleteGif rejects a GIF that ends at any earlier byte", () => {
  const comment = [0x21, 0xfe, 3, TRAILER, 0x21, 0x2c, 0];
  const images = [...image(0x82, ...COLORS, ...PIXEL), ...image(0, 1, 1, TRAILER, 1, TRAILER, 0)];
  const gif = new Uint8Array([...header(0x82), ...COLORS, ...comment, ...images, TRAILER]);
  const isComplete = Array.from(gif, (_, length) => isCompleteGif(gif.subarray(0, length)));
  assertEquals([isComplete.indexOf(true), isCompleteGif(gif)], [-1, true]);
});

for (const [text, isGif] of [["GIF87a", true], ["GIF89a", true], ["GIF88a", false]] as const) {
  Deno.test(`hasGifSignature returns ${isGif} for ${text}`, () => {
    assertEquals(hasGifSignature(new TextEncoder().encode(`${text}\0`)), isGif);
  });
}

Deno.test("the flags of the site are complete GIFs, unlike their halves", { ignore }, () => {
  for (const cc of flagCodes()) {
    const flag = imageOf(`${cc}.gif`);
    const halves = [isCompleteGif(flag), isCompleteGif(flag.subarray(0, flag.length / 2))];
    assertEquals([cc, ...halves], [cc, true, false]);
  }
});
