/** One instruction of classic BPF (linux/filter.h, struct sock_filter). */
export interface Instruction {
  readonly code: number;
  /** How many instructions a jump passes over, where its test holds and where not. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** linux/bpf_common.h: a class, and what it does with the constant k. */
export const OP = {
  load: 0x20,
  and: 0x54,
  jump: 0x05,
  ifEqual: 0x15,
  ifGreater: 0x25,
  ifNotLess: 0x35,
  result: 0x06,
} as const;

/** Where struct seccomp_data has what (linux/seccomp.h); both machines are little-endian. */
export const DATA = {
  number: 0,
  arch: 4,
  lower: (index: number): number => 16 + 8 * index,
  upper: (index: number): number => 20 + 8 * index,
} as const;

export const load = (at: number): Instruction => ({ code: OP.load, jt: 0, jf: 0, k: at });
export const result = (verdict: number): Instruction => ({ code: OP.result, jt: 0, jf: 0, k: verdict });
export const jump = (over: number): Instruction => ({ code: OP.jump, jt: 0, jf: 0, k: over });
export const test = (code: number, k: number, jt: number, jf: number): Instruction => ({ code, jt, jf, k });

/** As far as a test can jump. */
const FARTHEST = 255;

/** `otherwise`, then `where`, which is gone to where the test holds. */
export function branch(
  code: number,
  k: number,
  where: readonly Instruction[],
  otherwise: readonly Instruction[],
): Instruction[] {
  const over = otherwise.length;
  const choose = over <= FARTHEST ? [test(code, k, over, 0)] : [test(code, k, 0, 1), jump(over)];
  return [...choose, ...otherwise, ...where];
}

/** The program as two 32-bit words for each instruction, as the kernel of a little-endian machine takes them. */
export function encodeProgram(program: readonly Instruction[]): Uint32Array {
  return Uint32Array.from(
    program.flatMap(({ code, jt, jf, k }) => [(code | (jt << 16) | (jf << 24)) >>> 0, k >>> 0]),
  );
}
