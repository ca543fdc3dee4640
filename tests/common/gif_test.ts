/** A GIF is complete if its header, extensions and images are followed by a trailer. */
import { assertEquals } from "@std/assert";
import { hasGifSignature, isCompleteGif } from "../../common/gif.ts";
import { flagCodes } from "../../common/site.ts";
import { isGranted } from "../helpers.ts";

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

/** Returns a color table whose bytes look like trailers. */
function colors(count: number): number[] {
  return Array<number>(3 * count).fill(TRAILER);
}

const COMPLETE: [what: string, bytes: number[]][] = [
  ["without colors", [...header(0), ...image(0, ...PIXEL), TRAILER]],
  ["with flags but no colors", [...header(0x77), ...image(0, ...PIXEL), TRAILER]],
  ["with 2 colors", [...header(0x80), ...colors(2), ...image(0, ...PIXEL), TRAILER]],
  ["with 256 colors", [...header(0xf7), ...colors(256), ...image(0, ...PIXEL), TRAILER]],
  ["with 8 colors for its image", [...header(0), ...image(0x82, ...colors(8), ...PIXEL), TRAILER]],
  ["with two images", [...header(0), ...image(0, ...PIXEL), ...image(0, ...PIXEL), TRAILER]],
  ["with several blocks", [
    ...header(0),
    ...image(0, 8, 1, TRAILER, 255, ...colors(85), 2, 0, 0, 0),
    TRAILER,
  ]],
  ["with a comment", [...header(0), 0x21, 0xfe, 3, TRAILER, 0x21, 0x2c, 0, TRAILER]],
  ["with empty blocks before the next part", [
    ...header(0),
    ...[0x21, 0xfe, 1, TRAILER, 0, 0],
    ...image(0, ...PIXEL),
    ...[0, 0, TRAILER],
  ]],
  ["with bytes after its trailer", [...header(0), ...image(0, ...PIXEL), TRAILER, 1, 2, 3]],
];

for (const [what, bytes] of COMPLETE) {
  Deno.test(`isCompleteGif accepts a GIF ${what}`, () => {
    assertEquals(isCompleteGif(new Uint8Array(bytes)), true);
  });
}

Deno.test("isCompleteGif rejects a GIF that ends at any earlier byte", () => {
  const extension = [0x21, 0xf9, 4, 1, 0, 0, 0, 0];
  const bytes = [
    ...header(0x80),
    ...colors(2),
    ...extension,
    ...image(0x80, ...colors(2), ...PIXEL),
  ];
  const gif = new Uint8Array([...bytes, TRAILER]);
  for (let length = 0; length < gif.length; length++) {
    assertEquals([length, isCompleteGif(gif.subarray(0, length))], [length, false]);
  }
});

for (
  const [text, isGif] of Object.entries({ GIF87a: true, GIF89a: true, GIF88a: false, GIF: false })
) {
  Deno.test(`hasGifSignature returns ${isGif} for ${text}`, () => {
    assertEquals(hasGifSignature(new TextEncoder().encode(`${text}\0`)), isGif);
  });
}

Deno.test("the flags of the site are complete GIFs, unlike their halves", { ignore }, () => {
  for (const cc of flagCodes()) {
    const path = import.meta.resolve(`famfamfam-flags/dist/gif/${cc.toLowerCase()}.gif`);
    const flag = Deno.readFileSync(new URL(path));
    const halves = [isCompleteGif(flag), isCompleteGif(flag.subarray(0, flag.length / 2))];
    assertEquals([cc, ...halves], [cc, true, false]);
  }
});
