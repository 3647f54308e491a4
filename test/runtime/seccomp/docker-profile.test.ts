import { describe, expect, test } from "bun:test";
import { readDockerProfile } from "../../../src/runtime/seccomp/docker-profile.ts";

const where = { machine: "x64", capabilities: ["CAP_CHOWN"], kernel: "6.1.0-13-amd64" } as const;
const read = (profile: object) => readDockerProfile(JSON.stringify(profile), where);
const rule = (more: object) =>
  read({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["read"], action: "SCMP_ACT_ALLOW", ...more }],
  }).rules;

describe("a profile of Docker's", () => {
  test("its rules, with errno and arguments", () => {
    const profile = readDockerProfile(
      `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"archMap":[
        {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]},
        {"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X32"]}],
        "syscalls":[{"name":"clone","action":"SCMP_ACT_ERRNO","errnoRet":1,"comment":"x","args":[
          {"index":0,"value":18446744073709551615,"valueTwo":5,"op":"SCMP_CMP_MASKED_EQ"}]}]}`,
      where,
    );
    expect(profile).toEqual({
      defaultAction: "ERRNO",
      defaultErrno: 38,
      arches: ["X86_64", "X32"],
      rules: [
        {
          names: ["clone"],
          action: "ERRNO",
          errno: 1,
          args: [{ index: 0, op: "MASKED_EQ", value: 0xffffffffffffffffn, valueTwo: 5n }],
        },
      ],
    });
  });

  test("the machine's own is always there, others where they are named", () => {
    expect(read({ defaultAction: "SCMP_ACT_ALLOW" }).arches).toEqual(["X86_64"]);
    expect(
      read({ defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_S390"] }).arches,
    ).toEqual(["X86_64", "X86"]);
  });

  test("what is for other machines, capabilities or kernels is left out", () => {
    expect(rule({ includes: { arches: ["arm64"] } })).toEqual([]);
    expect(rule({ includes: { arches: ["amd64", "x32"] } })).toHaveLength(1);
    expect(rule({ includes: { caps: ["CAP_CHOWN"] } })).toHaveLength(1);
    expect(rule({ includes: { caps: ["CAP_CHOWN", "CAP_KILL"] } })).toEqual([]);
    expect(rule({ includes: { minKernel: "4.8" } })).toHaveLength(1);
    expect(rule({ includes: { minKernel: "6.2" } })).toEqual([]);
    expect(rule({ excludes: { caps: ["CAP_KILL", "CAP_CHOWN"] } })).toEqual([]);
    expect(rule({ excludes: { caps: ["CAP_KILL"] } })).toHaveLength(1);
    expect(rule({ excludes: { arches: ["s390"], minKernel: "6.1" } })).toEqual([]);
  });

  test.each([
    ["{", /decoding failed/],
    ["[]", /not an object/],
    ["{}", /the action nothing is not supported/],
    ['{"defaultAction":"SCMP_ACT_NOTIFY"}', /the action "SCMP_ACT_NOTIFY" is not supported/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"}', /listenerPath/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"]}', /the flag/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":-1}', /no errno/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{}}', /syscalls is not a list/],
    ['{"defaultAction":"SCMP_ACT_ALLOW","architectures":["x"],"archMap":[{}]}', /either of them/],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}',
      /'names'/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]}',
      /no index/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}]}',
      /decoding failed/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":0,"op":"SCMP_CMP_EQ"}]}]}',
      /no value/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":1,"op":"EQ"}]}]}',
      /the comparison/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_LOG","includes":{"minKernel":"x"}}]}',
      /minKernel/,
    ],
  ])("%s is refused", (text, words) => {
    expect(() => readDockerProfile(text, where)).toThrow(words);
  });
});
