import { testAll } from "./condition.ts";
import { type Arch, callNumbers, PRIVATE, X32_BIT } from "./numbers.ts";
import type { Action, Condition, Profile, Rule } from "./profile.ts";
import { branch, DATA, encodeProgram, type Instruction, load, OP, result } from "./program.ts";

/** linux/seccomp.h, SECCOMP_RET_…; what ERRNO and TRACE carry is in the lower half. */
const VERDICTS: Record<Action, number> = {
  ALLOW: 0x7fff0000,
  LOG: 0x7ffc0000,
  TRACE: 0x7ff00000,
  ERRNO: 0x00050000,
  TRAP: 0x00030000,
  KILL: 0,
  KILL_THREAD: 0,
  KILL_PROCESS: 0x80000000,
};
const EPERM = 1;
const ENOSYS = 38;
/** linux/audit.h, AUDIT_ARCH_…; x32 is x86-64 with a bit in the number. */
const AUDIT: Record<Exclude<Arch, "X32">, number> = {
  X86_64: 0xc000003e,
  X86: 0x40000003,
  AARCH64: 0xc00000b7,
  ARM: 0x40000028,
};
/** BPF_MAXINSNS of linux/bpf_common.h. */
const LONGEST = 4096;

/** What is to become of a call: one verdict, or by its arguments the first that fits. */
interface Fate {
  readonly verdict: number;
  readonly cases: readonly { readonly args: readonly Condition[]; readonly verdict: number }[];
}

/** The machines whose programs run on this one's kernel. */
export function archesOf(machine: "x64" | "arm64"): readonly Arch[] {
  return machine === "x64" ? ["X86_64", "X86", "X32"] : ["AARCH64", "ARM"];
}

/**
 * The filter of a profile, as words (encodeProgram): the machine first, then the number of the call by halving, since a
 * container pays for it at each of its calls. Calls that came after the last one that the profile names do not exist for the
 * container (ENOSYS), so that a C library falls back to an older one. Throws RangeError on one that is too long.
 */
export function compileProfile(profile: Profile, arches: readonly Arch[]): Uint32Array {
  // the bits that name a program's machine cannot be forged, so a machine that is not known here is none
  let program: Instruction[] = [result(VERDICTS.KILL_PROCESS)];
  for (const arch of arches.toReversed()) {
    if (arch === "X32") continue;
    const calls = [load(DATA.number), ...treeOf(profile, arch)];
    const own =
      arch === "X86_64" && arches.includes("X32")
        ? [load(DATA.number), ...branch(OP.ifNotLess, X32_BIT, treeOf(profile, "X32"), calls.slice(1))]
        : calls;
    program = branch(OP.ifEqual, AUDIT[arch], own, program);
  }
  program = [load(DATA.arch), ...program];
  if (program.length > LONGEST)
    throw new RangeError(`the filter has ${program.length} instructions, and may have ${LONGEST}`);
  return encodeProgram(program);
}

function verdictOf(action: Action, errno = EPERM): number {
  const carries = action === "ERRNO" || action === "TRACE";
  return (VERDICTS[action] | (carries ? errno & 0xffff : 0)) >>> 0;
}

function treeOf(profile: Profile, arch: Arch): Instruction[] {
  const narrow = arch === "X86" || arch === "ARM";
  const otherwise: Fate = { verdict: verdictOf(profile.defaultAction, profile.defaultErrno), cases: [] };
  const fates = fatesOf(profile, callNumbers(arch), otherwise.verdict);
  const ranges = rangesOf(fates, otherwise, arch === "X32" ? X32_BIT : 0);
  const last = lastOf(profile, callNumbers(arch));
  if (last !== undefined && profile.defaultAction !== "ALLOW" && profile.defaultAction !== "LOG")
    cutOff(ranges, last + 1, { verdict: verdictOf("ERRNO", ENOSYS), cases: [] });
  return search(ranges, narrow);
}

/** The highest number that the profile has a word about. */
function lastOf({ rules }: Profile, numbers: ReadonlyMap<string, number>): number | undefined {
  let last: number | undefined;
  for (const { names } of rules)
    for (const name of names) {
      const number = numbers.get(name);
      if (number !== undefined && (number & ~X32_BIT) < PRIVATE && number > (last ?? -1)) last = number;
    }
  return last;
}

/** By number. As libseccomp: a rule without conditions stands above those with some, and the first of several counts. */
function fatesOf(
  { rules, defaultAction, defaultErrno }: Profile,
  numbers: ReadonlyMap<string, number>,
  otherwise: number,
): Map<number, Fate> {
  const fates = new Map<number, Fate>();
  const settled = new Set<number>();
  const byDefault = verdictOf(defaultAction, defaultErrno);
  for (const rule of rules) {
    const verdict = verdictOf(rule.action, rule.errno);
    if (verdict === byDefault) continue;
    for (const name of rule.names) {
      const number = numbers.get(name);
      // a name of another machine, or of a newer kernel
      if (number === undefined || settled.has(number)) continue;
      const choices = alternatives(rule);
      if (choices.length === 0) {
        fates.set(number, { verdict, cases: [] });
        settled.add(number);
      } else {
        const before = fates.get(number)?.cases ?? [];
        const cases = [...before, ...choices.map((args) => ({ args, verdict }))];
        fates.set(number, { verdict: otherwise, cases });
      }
    }
  }
  return fates;
}

/** Conditions on different arguments must all hold; of several on one argument (as runc has it) each is enough. */
function alternatives({ args = [] }: Rule): (readonly Condition[])[] {
  if (args.length === 0) return [];
  const once = new Set(args.map(({ index }) => index)).size === args.length;
  return once ? [args] : args.map((condition) => [condition]);
}

interface Range {
  readonly from: number;
  readonly fate: Fate;
}

/** All numbers from `first` on, neighbours with the same fate in one. */
function rangesOf(fates: ReadonlyMap<number, Fate>, otherwise: Fate, first: number): Range[] {
  const ranges: Range[] = [{ from: first, fate: otherwise }];
  const add = (from: number, fate: Fate): void => {
    const before = ranges.at(-1);
    if (before?.from === from) ranges.pop();
    const last = ranges.at(-1);
    const same =
      last && last.fate.cases.length + fate.cases.length === 0 && last.fate.verdict === fate.verdict;
    if (!same) ranges.push({ from, fate });
  };
  for (const number of [...fates.keys()].sort((a, b) => a - b)) {
    add(number, fates.get(number) ?? otherwise);
    add(number + 1, otherwise);
  }
  return ranges;
}

/** Gives all numbers from `from` on another fate, but for those of a machine's own. */
function cutOff(ranges: Range[], from: number, fate: Fate): void {
  const own = ranges.filter((range) => (range.from & ~X32_BIT) >= PRIVATE);
  const at = ranges.findIndex((range) => range.from >= from);
  if (at >= 0) ranges.splice(at);
  ranges.push({ from, fate }, ...own);
}

/** Halves the ranges until one is left; the number of the call is in the accumulator. */
function search(ranges: readonly Range[], narrow: boolean): Instruction[] {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (middle === 0 || !pivot) return ranges[0] ? decide(ranges[0].fate, narrow) : [];
  return branch(
    OP.ifNotLess,
    pivot.from,
    search(ranges.slice(middle), narrow),
    search(ranges.slice(0, middle), narrow),
  );
}

function decide({ verdict, cases }: Fate, narrow: boolean): Instruction[] {
  const program = cases.flatMap((one) => [...testAll(one.args, 1, narrow), result(one.verdict)]);
  return [...program, result(verdict)];
}
