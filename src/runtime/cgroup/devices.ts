import { attachDeviceProgram } from "../../linux/bpf.ts";
import { AND, assemble, EXIT, type Insn, insn, MOVE, SET } from "../../linux/bpf-program.ts";
import { writeInto } from "../../linux/file.ts";
import type { DeviceRule } from "../spec.ts";

/**
 * What a container may do with devices: any node may be made (mknod), only these opened. The rules are those of
 * runtime-spec config-linux.md, "Allowed Device list"; 5:2 is /dev/ptmx, 136 the pseudo-terminals.
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false, type: "a", access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor): DeviceRule => ({ allow: true, type: "c", major: 1, minor, access: "rwm" })),
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
];

/** A rule as devices.allow and devices.deny of cgroup v1 take it. */
export function deviceLineV1(rule: DeviceRule): string {
  const number = (value: number | undefined): string => (value === undefined ? "*" : String(value));
  return (rule.type ?? "a") === "a"
    ? "a"
    : `${rule.type} ${number(rule.major)}:${number(rule.minor)} ${rule.access}`;
}

/** Writes the rules to a v1 group that no process has joined yet. */
export function denyDevicesV1(folder: string, rules: readonly DeviceRule[]): void {
  for (const rule of rules)
    writeInto(`${folder}/devices.${rule.allow ? "allow" : "deny"}`, deviceLineV1(rule));
}

/** Attaches a program with the same verdicts to a v2 group (BPF_PROG_TYPE_CGROUP_DEVICE). */
export function filterDevicesV2(group: number, rules: readonly DeviceRule[]): void {
  if (rules.length > 0) attachDeviceProgram(group, deviceProgram(rules));
}

const TYPES = { b: 1, c: 2 } as const;
const ACCESS: Record<string, number> = { m: 1, r: 2, w: 4 };
/** Offsets in struct bpf_cgroup_dev_ctx: access_type (access in the upper half, type in the lower), major, minor. */
const CTX = { access: 0, major: 4, minor: 8 } as const;

const LOAD = (dst: number, offset: number): Insn => insn(0x61, dst, 1, offset, 0);
const SHIFT = (dst: number, bits: number): Insn => insn(0x77, dst, 0, 0, bits);
const UNLESS = (dst: number, value: number, skip: number): Insn => insn(0x55, dst, 0, skip, value);
const WHERE_ZERO = (dst: number, skip: number): Insn => insn(0x15, dst, 0, skip, 0);

function accessMask(access: string): number {
  return [...access].reduce((mask, letter) => mask | (ACCESS[letter] ?? 0), 0);
}

/**
 * The rules as eBPF: r2 the type, r3 the accesses that are not decided yet, r4 major, r5 minor. For each access the last
 * rule that fits decides, so they are tested from the last to the first; what no rule names is denied.
 */
export function deviceProgram(rules: readonly DeviceRule[]): BigUint64Array {
  const program = [
    LOAD(2, CTX.access),
    AND(2, 0xffff),
    LOAD(3, CTX.access),
    SHIFT(3, 16),
    LOAD(4, CTX.major),
    LOAD(5, CTX.minor),
  ];
  for (const rule of rules.toReversed()) {
    // the verifier refuses what can never be reached
    if (isForAll(rule)) return assemble([...program, SET(0, rule.allow ? 1 : 0), EXIT]);
    program.push(...verdict(rule));
  }
  return assemble([...program, SET(0, 0), EXIT]);
}

function isForAll({ type, access, major, minor }: DeviceRule): boolean {
  return (type ?? "a") === "a" && accessMask(access) === 7 && major === undefined && minor === undefined;
}

/** One rule: on to the next one unless the device fits; then its accesses are denied, or taken off those undecided. */
function verdict({ type, access, major, minor, allow }: DeviceRule): Insn[] {
  const tests: ((skip: number) => Insn)[] = [];
  if (type === "b" || type === "c") tests.push((skip) => UNLESS(2, TYPES[type], skip));
  if (major !== undefined) tests.push((skip) => UNLESS(4, major, skip));
  if (minor !== undefined) tests.push((skip) => UNLESS(5, minor, skip));
  const mask = accessMask(access);
  const decide = allow
    ? [AND(3, 7 & ~mask), UNLESS(3, 0, 2), SET(0, 1), EXIT]
    : [MOVE(0, 3), AND(0, mask), WHERE_ZERO(0, 2), SET(0, 0), EXIT];
  return [...tests.map((test, index) => test(tests.length - 1 - index + decide.length)), ...decide];
}
