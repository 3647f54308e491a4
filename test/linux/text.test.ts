import { expect, test } from "bun:test";
import { fromBytes, toBytes } from "../../src/linux/text.ts";

const bytes = (...numbers: number[]): Uint8Array => Uint8Array.from(numbers);

test("UTF-8 is itself", () => {
  for (const text of ["", "plain", "größer", "日本語", "🐳 \u{10ffff}", "\ufeffbom", "\ufffd"]) {
    expect(fromBytes(new TextEncoder().encode(text))).toBe(text);
    expect([...toBytes(text)]).toEqual([...new TextEncoder().encode(text)]);
  }
});

test("bytes that are no UTF-8 come back as they were, also by way of JSON", () => {
  const all = Uint8Array.from({ length: 255 }, (_, index) => index + 1);
  const samples = [
    all,
    bytes(0xff),
    bytes(0xc3),
    bytes(0x61, 0xe2, 0x82),
    bytes(0xf0, 0x9f, 0x90, 0xb3, 0x80),
  ];
  // overlong, a surrogate, beyond U+10FFFF
  samples.push(bytes(0xc0, 0x80), bytes(0xed, 0xa0, 0x80), bytes(0xf4, 0x90, 0x80, 0x80));
  for (const sample of samples) {
    const text = JSON.parse(JSON.stringify(fromBytes(sample))) as string;
    expect([...toBytes(text)]).toEqual([...sample]);
  }
  expect(fromBytes(bytes(0x61, 0xff, 0xc3, 0xa4))).toBe("a\udcffä");
});
