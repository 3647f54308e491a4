import { describe, expect, test } from "bun:test";
import { parseChallenges } from "../../../src/image/registry/challenge.ts";

describe("challenges", () => {
  const one = (header: string) => parseChallenges(header)[0];

  test("of tokens and of passwords", () => {
    expect(one('Bearer realm="https://a/token",service="reg",scope="repository:a:pull,push"')).toEqual({
      scheme: "bearer",
      parameters: { realm: "https://a/token", service: "reg", scope: "repository:a:pull,push" },
    });
    expect(one("basic realm=x")).toEqual({ scheme: "basic", parameters: { realm: "x" } });
    expect(one("Basic")).toEqual({ scheme: "basic", parameters: {} });
  });

  test("several in one line, with blanks and escapes", () => {
    const all = parseChallenges(
      'Negotiate, Negotiate abc==, Basic realm="a, \\"b\\"" , Bearer realm = "c" ,service="d"',
    );
    expect(all.map(({ scheme }) => scheme)).toEqual(["negotiate", "negotiate", "basic", "bearer"]);
    expect(all[2]?.parameters).toEqual({ realm: 'a, "b"' });
    expect(all[3]?.parameters).toEqual({ realm: "c", service: "d" });
  });

  test("what is none ends the list, quickly", () => {
    expect(parseChallenges("")).toEqual([]);
    expect(parseChallenges('"')).toEqual([]);
    expect(parseChallenges('Bearer realm="open')).toEqual([{ scheme: "bearer", parameters: {} }]);
    const before = performance.now();
    parseChallenges(`Bearer ${'a="\\'.repeat(1e6)}`);
    parseChallenges(`${"a ".repeat(1e6)}`);
    expect(performance.now() - before).toBeLessThan(500);
    expect(one("Bearer __proto__=x")?.parameters.realm).toBeUndefined();
  });
});
