import { expect, test } from "bun:test";
import { configComment, configOf } from "../../src/image/config-comment.ts";
import { PLAIN_CONFIG } from "../../src/image/image.ts";
import { byteName } from "../../src/linux/tree.ts";

test("a configuration comes back as it was", () => {
  const config = {
    Env: ["A=größer", "B=\udcff", 'C="\n"'],
    Cmd: ["sh", "-c", "exec true"],
    Entrypoint: ["/entry"],
    WorkingDir: "/w",
    User: "7:8",
    Labels: { a: "1" },
    StopSignal: "SIGINT",
  };
  expect(configOf(byteName(configComment(config)))).toEqual(config);
  expect(configOf(byteName(configComment({ Cmd: [] })))).toEqual({ ...PLAIN_CONFIG, Cmd: [] });
});

test("what is no configuration is a plain one, and a field of another type is left out", () => {
  const other = [
    undefined,
    "",
    "c0ffee",
    "mydocker-image-config",
    "mydocker-image-config {",
    "mydocker-image-config 7",
  ];
  for (const comment of other) expect(configOf(comment)).toEqual(PLAIN_CONFIG);
  const hostile = {
    Env: "A=1",
    Cmd: [1],
    User: 7,
    WorkingDir: "a\0b",
    Labels: { a: 1 },
    Volumes: {},
    StopSignal: "INT",
  };
  expect(configOf(configComment(hostile as object))).toEqual({ ...PLAIN_CONFIG, StopSignal: "INT" });
  expect(configOf(`${configComment({})}${" ".repeat(2 << 20)}`)).toEqual(PLAIN_CONFIG);
});
