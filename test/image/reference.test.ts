import { describe, expect, test } from "bun:test";
import { familiar, fullName, splitFull } from "../../src/image/full-name.ts";
import { canonical, parseReference } from "../../src/image/reference.ts";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("references", () => {
  test.each([
    ["busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"],
    ["library/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest"],
    ["localhost/a", "localhost/a:latest", "localhost/a:latest"],
    ["localhost:5000/a/b:v1", "localhost:5000/a/b:v1", "localhost:5000/a/b:v1"],
    ["127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a:latest"],
    ["[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"],
    ["ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b:latest"],
    ["Host/a", "Host/a:latest", "Host/a:latest"],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    [`busybox:1@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    ["a__b/c--d.e", "docker.io/a__b/c--d.e:latest", "a__b/c--d.e:latest"],
  ])("%s is %s", (text, full, short) => {
    expect(canonical(parseReference(text))).toBe(full);
    expect(fullName(text)).toBe(full);
    expect(familiar(full)).toBe(short);
  });

  test.each([
    ["", ""],
    ["Busybox", ": repository name must be lowercase"],
    ["a//b", ""],
    ["a/", ""],
    ["-a", ""],
    ["a:", ""],
    ["a:b c", ""],
    [`a:${"t".repeat(129)}`, ""],
    ["a___b", ""],
    ["../a", ""],
    ["a\nb", ""],
    ["a@sha256:12", ": a digest is sha256: and 64 digits"],
    [`a@sha512:${"0".repeat(128)}`, ": a digest is sha256: and 64 digits"],
    ["0".repeat(64), ": it is an id"],
    [`${"a/".repeat(128)}a`, ""],
    ["host:port/a", ""],
    ["__proto__", ""],
  ])("%j is refused", (text, why) => {
    expect(() => parseReference(text)).toThrow(`invalid reference format${why}`);
  });

  test("a whole name comes apart again", () => {
    expect(splitFull("localhost:5000/a:v1")).toEqual({ repository: "localhost:5000/a", tag: "v1" });
    expect(splitFull(`localhost:5000/a@${DIGEST}`)).toEqual({
      repository: "localhost:5000/a",
      digest: DIGEST,
    });
  });
});
