import { describe, expect, test } from "bun:test";
import { parseDocument, parseList, parseManifest } from "../../src/image/document.ts";
import { parsePlatform, selectPlatform } from "../../src/image/platform.ts";
import { bytesOf, imageOf } from "./image-support.ts";

const layer = new Uint8Array(1);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

/** A configuration with these fields, as bytes. */
function withFields(fields: object): Uint8Array {
  return bytesOf({ ...imageOf(layer).config, ...fields });
}

describe("an image's configuration", () => {
  test.each([
    "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.123456789Z",
    "2024-01-02T03:04:05.123456789+01:00",
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
  ])("may be of %s", (created) => {
    expect(parseDocument(withFields({ created })).created).toBe(created);
  });

  test.each([
    [{ created: "\u001b]0;x\u0007" }, 'created is "\\u001b]0;x\\u0007", which is no time'],
    [{ created: "" }, "which is no time"],
    [{ created: 5 }, "which is no time"],
    [{ history: [{ created: "yesterday" }] }, "history is not as it must be: created"],
    [{ history: [{ created_by: 7 }] }, "history is not as it must be: created_by is no text"],
    [{ history: [{ comment: {} }] }, "history is not as it must be: comment is no text"],
    [{ history: [{ empty_layer: "no" }] }, "empty_layer is neither true nor false"],
    [{ history: [7] }, "an object was expected"],
    [{ config: { Volumes: { "/a\0b": {} } } }, "Volumes is"],
    [{ config: { Env: ["A=\0"] } }, "Env is"],
  ])("%j is refused", (fields, words) => {
    expect(() => parseDocument(withFields(fields))).toThrow(words);
  });

  test("what is null in its history is not there", () => {
    const step = { created: null, created_by: "x", author: null, comment: null, empty_layer: null };
    expect(parseDocument(withFields({ history: [step] })).history).toEqual([{ created_by: "x" }]);
  });

  test.each([101, 100_000, 2_000_000])("nested %d deep is refused at once", (depth) => {
    const deep = text(`{"rootfs":{"diff_ids":[]},"config":{"Env":${nested(depth)}}}`);
    expect(() => parseDocument(deep)).toThrow("nested too deeply");
    expect(() => parseManifest(text(`{"schemaVersion":2,"config":${nested(depth)}}`))).toThrow("too deeply");
    expect(() => parseList(text(`{"manifests":${nested(depth)}}`))).toThrow("too deeply");
  });
});

describe("platforms", () => {
  test("names that JavaScript's objects have are names like others", () => {
    expect(parsePlatform("constructor")).toEqual({ os: "linux", architecture: "constructor" });
    expect(parsePlatform("linux/toString")).toEqual({ os: "linux", architecture: "tostring" });
  });

  test("a long list is not told whole", () => {
    const list = Array.from({ length: 5000 }, (_, i) => ({
      mediaType: "",
      digest: "",
      size: 0,
      platform: { os: "linux", architecture: `a${i}` },
    }));
    const select = (): unknown => selectPlatform(list, { os: "linux", architecture: "none" });
    expect(select).toThrow(/a0, linux\/a1, .*…$/);
    expect(select).not.toThrow("a100");
  });
});
