import { describe, expect, test } from "bun:test";
import { fullName } from "../../src/image/full-name.ts";
import { archiveName, archivePath, fullNameOfArchive, isArchiveName } from "../../src/image/name.ts";

describe("archives in image/", () => {
  test.each([
    ["busybox", "busybox"],
    ["busybox:latest", "busybox"],
    ["docker.io/library/busybox", "busybox"],
    ["docker.io/library/busybox:latest", "busybox"],
    ["library/busybox", "busybox"],
    ["My_Image-1.2", "My_Image-1.2"],
    ["constructor", "constructor"],
    ["debian:12", "debian:12"],
  ])("%s is %s", (given, name) => {
    expect(archiveName(fullName(given))).toBe(name);
    expect(isArchiveName(name)).toBe(true);
    expect(fullName(fullNameOfArchive(name))).toBe(fullName(given));
  });

  test.each([
    "",
    ".",
    "..",
    "../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a/../../b",
    ".hidden",
    "-f",
    "a b",
    "a\0b",
    "a\n",
    "busybox:",
    "busybox:1.36:2",
    "busybox:-1",
    "a:b/c",
    "library/../x",
    "__proto__",
    "x".repeat(300),
    "localhost:5000/busybox",
    `busybox@sha256:${"0".repeat(64)}`,
  ])("%j has none", (given) => {
    const name = archiveName(fullName(given));
    expect(name !== undefined && isArchiveName(name)).toBe(false);
  });

  test("lies in image/", () => {
    expect(archivePath("/r", archiveName(fullName("a:latest")) ?? "")).toBe("/r/image/a.tar");
  });
});
