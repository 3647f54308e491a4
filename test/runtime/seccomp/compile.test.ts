import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { ALL_CAPABILITIES, DEFAULT_CAPABILITIES } from "../../../src/runtime/capabilities.ts";
import { archesOf, compileProfile } from "../../../src/runtime/seccomp/compile.ts";
import { defaultProfile } from "../../../src/runtime/seccomp/default.ts";
import { callNumbers } from "../../../src/runtime/seccomp/numbers.ts";
import type { Condition, Operator, Profile, Rule } from "../../../src/runtime/seccomp/profile.ts";
import { AUDIT, type Call, verdict } from "./interpreter.ts";

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const KILL = 0x80000000;

const x64 = callNumbers("X86_64");
const nr = (name: string, numbers = x64): number => {
  const number = numbers.get(name);
  if (number === undefined) throw new Error(`no call ${name}`);
  return number;
};

describe("the numbers", () => {
  const headers = {
    X86_64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    X86: "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
    X32: "/usr/include/x86_64-linux-gnu/asm/unistd_x32.h",
  } as const;
  for (const [arch, path] of Object.entries(headers))
    test.skipIf(!existsSync(path))(`of ${arch} are those of the kernel's headers`, () => {
      const numbers = callNumbers(arch as keyof typeof headers);
      const lines = readFileSync(path, "utf8").matchAll(
        /^#define __NR_(\w+) (?:\(__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm,
      );
      let seen = 0;
      for (const [, name = "", number] of lines) {
        expect(`${name} ${numbers.get(name)}`).toBe(
          `${name} ${Number(number) + (arch === "X32" ? 0x40000000 : 0)}`,
        );
        seen++;
      }
      expect(seen).toBeGreaterThan(300);
    });

  test("no two calls of a machine have one", () => {
    for (const arch of ["X86_64", "X86", "X32", "AARCH64", "ARM"] as const) {
      const numbers = [...callNumbers(arch).values()];
      expect(new Set(numbers).size).toBe(numbers.length);
    }
    expect(nr("openat", callNumbers("AARCH64"))).toBe(56);
    expect(nr("futex_time64", callNumbers("ARM"))).toBe(422);
    expect(nr("set_tls", callNumbers("ARM"))).toBe(983045);
  });
});

describe("the default profile", () => {
  const filter = compileProfile(defaultProfile("x64", DEFAULT_CAPABILITIES), archesOf("x64"));
  const of = (name: string, ...args: bigint[]): number =>
    verdict(filter, { arch: AUDIT.X86_64, number: nr(name), args });

  test("lets programs do what programs do", () => {
    for (const name of [
      "read",
      "openat",
      "execve",
      "futex",
      "mknod",
      "ptrace",
      "chroot",
      "openat2",
      "statx",
      "seccomp",
    ])
      expect(`${name} ${of(name)}`).toBe(`${name} ${ALLOW}`);
  });

  test("refuses what leads out", () => {
    const refused =
      "mount umount2 unshare setns keyctl add_key request_key bpf io_uring_setup userfaultfd open_by_handle_at pivot_root init_module kexec_load perf_event_open reboot swapon syslog move_mount open_tree fsopen mount_setattr nfsservctl uselib quotactl settimeofday iopl";
    for (const name of refused.split(" ")) expect(`${name} ${of(name)}`).toBe(`${name} ${EPERM}`);
  });

  test("clone makes no namespaces, and clone3 is not there", () => {
    expect(of("clone", 0x11n)).toBe(ALLOW);
    for (const flag of [
      0x00020000n,
      0x02000000n,
      0x04000000n,
      0x08000000n,
      0x10000000n,
      0x20000000n,
      0x40000000n,
    ])
      expect(of("clone", 0x11n | flag)).toBe(EPERM);
    expect(of("clone3")).toBe(ENOSYS);
  });

  test("sockets: all but the kernel's ciphers and the hypervisor's", () => {
    for (const family of [1n, 2n, 10n, 16n, 17n, 37n, 39n, 41n, 45n])
      expect(of("socket", family)).toBe(ALLOW);
    expect(of("socket", 38n)).toBe(EPERM);
    expect(of("socket", 40n)).toBe(EPERM);
    // the kernel looks at the lower half only: Docker's filter lets this one through
    expect(of("socket", (1n << 32n) | 40n)).toBe(EPERM);
    const narrow = (family: bigint): number =>
      verdict(filter, { arch: AUDIT.X86, number: nr("socket", callNumbers("X86")), args: [family] });
    expect([narrow(2n), narrow(38n), narrow(40n)]).toEqual([ALLOW, EPERM, EPERM]);
  });

  test("personality: the five that Docker lets through", () => {
    for (const value of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn])
      expect(of("personality", value)).toBe(ALLOW);
    for (const value of [1n, 0x40000n, 0x0400000n, 0x1ffffffffn])
      expect(of("personality", value)).toBe(EPERM);
  });

  test("what came after it does not exist; what is before and not in it is refused", () => {
    const at = (number: number): number => verdict(filter, { arch: AUDIT.X86_64, number });
    expect(at(nr("removexattrat") + 1)).toBe(ENOSYS);
    expect(at(400)).toBe(EPERM);
    expect(at(0x3fffffff)).toBe(ENOSYS);
  });

  test("of the 32-bit machine and of x32 the same by their own numbers; of another machine nothing", () => {
    const x86 = callNumbers("X86");
    const x32 = callNumbers("X32");
    const on = (arch: number, number: number): number => verdict(filter, { arch, number });
    expect(on(AUDIT.X86, nr("mount", x86))).toBe(EPERM);
    expect(on(AUDIT.X86, nr("waitpid", x86))).toBe(ALLOW);
    expect(on(AUDIT.X86, nr("vm86", x86))).toBe(EPERM);
    expect(on(AUDIT.X86_64, nr("ioctl", x32))).toBe(ALLOW);
    // 16 is ioctl of x86-64 only
    expect(on(AUDIT.X86_64, 0x40000000 + 16)).toBe(EPERM);
    expect(on(AUDIT.X86_64, nr("mount", x32))).toBe(EPERM);
    expect(on(AUDIT.X86_64, 0xffffffff)).toBe(ENOSYS);
    expect(on(AUDIT.AARCH64, 0)).toBe(KILL);
  });

  test("capabilities bring their calls", () => {
    const withCaps = (...caps: string[]) => compileProfile(defaultProfile("x64", caps), archesOf("x64"));
    const at = (filter: Uint32Array, name: string, ...args: bigint[]): number =>
      verdict(filter, { arch: AUDIT.X86_64, number: nr(name), args });
    const admin = withCaps("CAP_SYS_ADMIN");
    for (const name of ["mount", "unshare", "setns", "clone3", "bpf"]) expect(at(admin, name)).toBe(ALLOW);
    expect(at(admin, "clone", 0x10000000n)).toBe(ALLOW);
    expect(at(admin, "chroot")).toBe(EPERM);
    expect(at(admin, "keyctl")).toBe(EPERM);
    expect(at(withCaps("CAP_SYS_TIME"), "clock_settime")).toBe(ALLOW);
    expect(at(withCaps("CAP_DAC_READ_SEARCH"), "open_by_handle_at")).toBe(ALLOW);
    expect(at(withCaps(...ALL_CAPABILITIES), "io_uring_setup")).toBe(EPERM);
  });

  test("of arm64", () => {
    const arm = compileProfile(defaultProfile("arm64", DEFAULT_CAPABILITIES), archesOf("arm64"));
    const [wide, narrow] = [callNumbers("AARCH64"), callNumbers("ARM")];
    expect(verdict(arm, { arch: AUDIT.AARCH64, number: nr("openat", wide) })).toBe(ALLOW);
    expect(verdict(arm, { arch: AUDIT.AARCH64, number: nr("mount", wide) })).toBe(EPERM);
    expect(verdict(arm, { arch: AUDIT.ARM, number: nr("set_tls", narrow) })).toBe(ALLOW);
    expect(verdict(arm, { arch: AUDIT.ARM, number: nr("usr26", narrow) })).toBe(EPERM);
    expect(verdict(arm, { arch: AUDIT.X86_64, number: 0 })).toBe(KILL);
  });

  test("is short, and a call passes through few of its instructions", () => {
    expect(filter.length / 2).toBeLessThan(1000);
  });
});

describe("any profile", () => {
  const OPERATORS: readonly Operator[] = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"];
  const holds = ({ index, op, value, valueTwo = 0n }: Condition, args: readonly bigint[]): boolean => {
    const arg = args[index] ?? 0n;
    switch (op) {
      case "EQ":
        return arg === value;
      case "NE":
        return arg !== value;
      case "LT":
        return arg < value;
      case "LE":
        return arg <= value;
      case "GT":
        return arg > value;
      case "GE":
        return arg >= value;
      case "MASKED_EQ":
        return (arg & value) === valueTwo;
    }
  };
  const expected = (rules: readonly Rule[], name: string, args: readonly bigint[]): number => {
    const own = rules.filter(({ names }) => names.includes(name));
    const rule =
      own.find((one) => !one.args) ?? own.find((one) => one.args?.every((arg) => holds(arg, args)));
    return rule ? (rule.action === "ALLOW" ? ALLOW : 0x00050000 | (rule.errno ?? 1)) : KILL;
  };

  test("gives each call what its rules say", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const VALUES = [
      0n,
      1n,
      5n,
      0xffffffffn,
      0x100000000n,
      0x100000005n,
      0xffffffffffffffffn,
      0x8000000080000000n,
    ];
    const value = (): bigint => VALUES[random(VALUES.length)] ?? 0n;
    const names = [...x64.keys()].slice(0, 60);
    for (let round = 0; round < 60; round++) {
      const rules = Array.from({ length: 12 }, (): Rule => {
        const mask = value();
        const args = Array.from({ length: random(3) }, (_, index): Condition => {
          const op = OPERATORS[random(7)] ?? "EQ";
          return op === "MASKED_EQ"
            ? { index, op, value: mask, valueTwo: mask & value() }
            : { index, op, value: value() };
        });
        return {
          names: Array.from({ length: 4 }, () => names[random(60)] ?? ""),
          ...(random(2) ? { action: "ALLOW" } : { action: "ERRNO", errno: random(100) }),
          ...(args.length > 0 && { args }),
        };
      });
      const profile: Profile = { defaultAction: "KILL_PROCESS", rules };
      const filter = compileProfile(profile, ["X86_64"]);
      const last = Math.max(...rules.flatMap((rule) => rule.names.map((name) => nr(name))));
      for (const name of names.filter((one) => nr(one) <= last))
        for (let tries = 0; tries < 4; tries++) {
          const args = [value(), value(), value()];
          const call: Call = { arch: AUDIT.X86_64, number: nr(name), args };
          expect({ name, args, verdict: verdict(filter, call) }).toEqual({
            name,
            args,
            verdict: expected(rules, name, args),
          });
        }
    }
  });

  test("one that allows by default has no end; several conditions on one argument are alternatives", () => {
    const filter = compileProfile(
      {
        defaultAction: "ALLOW",
        rules: [
          { names: ["mkdir", "nonsense"], action: "ERRNO", errno: 13 },
          {
            names: ["kill"],
            action: "ERRNO",
            args: [
              { index: 1, op: "EQ", value: 9n },
              { index: 1, op: "EQ", value: 15n },
            ],
          },
        ],
      },
      ["X86_64"],
    );
    const of = (number: number, ...args: bigint[]): number =>
      verdict(filter, { arch: AUDIT.X86_64, number, args });
    expect(of(nr("mkdir"))).toBe(0x0005000d);
    expect(of(5000)).toBe(ALLOW);
    expect([of(nr("kill"), 1n, 9n), of(nr("kill"), 1n, 15n), of(nr("kill"), 1n, 1n)]).toEqual([
      EPERM,
      EPERM,
      ALLOW,
    ]);
    expect(verdict(filter, { arch: AUDIT.X86, number: 1 })).toBe(KILL);
  });

  test("one that is too long is refused", () => {
    const rules = [...x64.keys()].map(
      (name): Rule => ({
        names: [name],
        action: "ALLOW",
        args: [0, 1, 2, 3].map((index) => ({ index, op: "GT", value: 1n })),
      }),
    );
    expect(() => compileProfile({ defaultAction: "ERRNO", rules }, ["X86_64"])).toThrow(RangeError);
  });
});
