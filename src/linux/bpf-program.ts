/** One instruction of eBPF (linux/bpf.h, struct bpf_insn): its two 32-bit halves. */
export type Insn = readonly [code: number, immediate: number];

/** An instruction: its code, registers, offset, and immediate value. */
export function insn(code: number, dst: number, src: number, off: number, imm: number): Insn {
  return [code | (dst << 8) | (src << 12) | ((off & 0xffff) << 16), imm];
}

export const MOVE = (dst: number, src: number): Insn => insn(0xbf, dst, src, 0, 0);
export const SET = (dst: number, value: number): Insn => insn(0xb7, dst, 0, 0, value);
export const AND = (dst: number, value: number): Insn => insn(0x57, dst, 0, 0, value);
export const EXIT = insn(0x95, 0, 0, 0, 0);

/** A program as the kernel takes it. */
export function assemble(program: readonly Insn[]): BigUint64Array {
  const words = new Uint32Array(program.length * 2);
  for (let at = 0; at < program.length; at++) words.set(program[at] ?? EXIT, at * 2);
  return new BigUint64Array(words.buffer);
}
