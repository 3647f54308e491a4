import { describe, expect, test } from "bun:test";
import { applyChanges } from "../../src/image/changes.ts";

describe("changes to how an image runs", () => {
  test.each([
    ["CMD top -b", { Cmd: ["/bin/sh", "-c", "top -b"] }],
    ['CMD ["top", "-b"]', { Cmd: ["top", "-b"] }],
    ['ENTRYPOINT ["sh"]', { Entrypoint: ["sh"] }],
    ["ENV A=1 B='two words' C=\"x $P\"", { Env: ["P=/bin", "A=1", "B=two words", "C=x /bin"] }],
    ["ENV P=$P:/sbin Q='$P' R=\\$P", { Env: ["P=/bin:/sbin", "Q=$P", "R=$P"] }],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is written in a Dockerfile
    ["ENV OLD a form ${P}", { Env: ["P=/bin", "OLD=a form /bin"] }],
    ["ENV E=$NONE", { Env: ["P=/bin", "E="] }],
    ["EXPOSE 80 53/UDP 8000-8010", { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000-8010/tcp": {} } }],
    ["LABEL a=b c='d e'", { Labels: { a: "b", c: "d e" } }],
    ["USER 5:6", { User: "5:6" }],
    ['VOLUME ["/a b", "/c"]', { Volumes: { "/a b": {}, "/c": {} } }],
    ["VOLUME /a /b", { Volumes: { "/a": {}, "/b": {} } }],
    ["WORKDIR /srv", { WorkingDir: "/srv" }],
    ["workdir sub", { WorkingDir: "/sub" }],
    ["STOPSIGNAL SIGINT", { StopSignal: "SIGINT" }],
    ['SHELL ["/bin/bash", "-c"]', { Shell: ["/bin/bash", "-c"] }],
    ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
    [
      "HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f x",
      { Healthcheck: { Test: ["CMD-SHELL", "curl -f x"], Interval: 90e9, Retries: 3 } },
    ],
    ["ONBUILD RUN x", { OnBuild: ["RUN x"] }],
  ])("%s", (change, expected) => {
    expect(applyChanges({ Env: ["P=/bin"] }, [change])).toMatchObject(expected);
  });

  test("one after the other; a new entrypoint takes the command away", () => {
    expect(applyChanges({ Cmd: ["old"] }, ["ENTRYPOINT a", "WORKDIR /x", "WORKDIR y"])).toEqual({
      Entrypoint: ["/bin/sh", "-c", "a"],
      WorkingDir: "/x/y",
    });
    expect(applyChanges({}, ['SHELL ["/bin/bash", "-c"]', "CMD x"]).Cmd).toEqual(["/bin/bash", "-c", "x"]);
  });

  test.each([
    ["FROM x", "FROM is none of CMD,"],
    ["", "it is none of CMD,"],
    ["CMD", "CMD needs a value"],
    ["ENV A", "use KEY=VALUE"],
    ["ENV A=1 B", "use KEY=VALUE"],
    ["EXPOSE http", "use a port"],
    ["SHELL /bin/sh", "JSON list"],
    ["HEALTHCHECK curl", "NONE, or CMD"],
    ["HEALTHCHECK --interval=soon CMD x", "no duration"],
    ["HEALTHCHECK --often=1s CMD x", "none of its options"],
    ["__proto__ x", "none of CMD,"],
    ["constructor x", "none of CMD,"],
  ])("%j is refused", (change, words) => {
    expect(() => applyChanges({}, [change])).toThrow(words);
  });
});
