/** Runs a filter as the kernel does (Documentation/networking/filter.rst): the verdict of one call. */

export interface Call {
  readonly arch: number;
  readonly number: number;
  readonly args?: readonly bigint[];
}

export const AUDIT = { X86_64: 0xc000003e, X86: 0x40000003, AARCH64: 0xc00000b7, ARM: 0x40000028 } as const;

/** struct seccomp_data (linux/seccomp.h). */
function dataOf({ arch, number, args = [] }: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  args.forEach((arg, index) => {
    data.setBigUint64(16 + 8 * index, arg, true);
  });
  return data;
}

/** Throws on a program that the kernel would not take. */
export function verdict(words: Uint32Array, call: Call): number {
  const data = dataOf(call);
  let accumulator = 0;
  for (let at = 0; at < words.length / 2; at++) {
    const head = words[at * 2] ?? 0;
    const k = words[at * 2 + 1] ?? 0;
    const [code, yes, no] = [head & 0xffff, (head >> 16) & 0xff, head >>> 24];
    const choose = (holds: boolean): void => {
      at += holds ? yes : no;
    };
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) choose(accumulator === k);
    else if (code === 0x25) choose(accumulator > k);
    else if (code === 0x35) choose(accumulator >= k);
    else if (code === 0x06) return k;
    else throw new Error(`no such instruction: ${code.toString(16)}`);
  }
  throw new Error("the program has no end");
}
