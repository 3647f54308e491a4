import { describe, expect, test } from "bun:test";
import { archivePath, imageName } from "../../src/image/name.ts";

describe("image names", () => {
  test.each([
    ["busybox", "busybox"],
    ["busybox:latest", "busybox"],
    ["docker.io/library/busybox", "busybox"],
    ["docker.io/library/busybox:latest", "busybox"],
    ["library/busybox", "busybox"],
    ["My_Image-1.2", "My_Image-1.2"],
    ["constructor", "constructor"],
  ])("%s is %s", (given, name) => {
    expect(imageName(given)).toBe(name);
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
  ])("%j is refused", (given) => {
    expect(() => imageName(given)).toThrow("invalid reference format");
  });

  test("a name's archive lies in image/", () => {
    expect(archivePath("/r", imageName("a:latest"))).toBe("/r/image/a.tar");
  });
});
