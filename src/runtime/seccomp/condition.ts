import type { Condition, Operator } from "./profile.ts";
import { DATA, type Instruction, load, OP, test } from "./program.ts";

const LOWER = 0xffffffffn;

/** A test whose jumps are not known yet. */
interface Open {
  readonly code: number;
  readonly k: number;
  readonly where: Target;
  readonly otherwise: Target;
}
/** To the next condition, to the end as one that does not hold, or on to the next instruction. */
type Target = "holds" | "fails" | "next";

const ifTest = (code: number, k: bigint, where: Target, otherwise: Target): Open => ({
  code,
  k: Number(k),
  where,
  otherwise,
});

/**
 * Tests all conditions; where one of them does not hold, what follows is passed over: `rest` instructions. An argument has 64
 * bits, and a filter looks at 32 at a time; of a 32-bit machine's call (`narrow`) only the lower ones count.
 */
export function testAll(conditions: readonly Condition[], rest: number, narrow: boolean): Instruction[] {
  let program: Instruction[] = [];
  // from the last to the first: how far it is to the end is known then
  for (const condition of conditions.toReversed())
    program = [
      ...close(openTests(condition, narrow || condition.narrow === true), program.length + rest),
      ...program,
    ];
  return program;
}

function openTests({ index, op, value, valueTwo = 0n }: Condition, narrow: boolean): (Open | Instruction)[] {
  const upper = load(DATA.upper(index));
  const lower = load(DATA.lower(index));
  const [high, low] = [value >> 32n, value & LOWER];
  if (op === "MASKED_EQ") {
    const half = (at: Instruction, mask: bigint, wanted: bigint): (Open | Instruction)[] => [
      at,
      { code: OP.and, jt: 0, jf: 0, k: Number(mask) },
      ifTest(OP.ifEqual, wanted, "next", "fails"),
    ];
    const first = narrow ? [] : half(upper, high, valueTwo >> 32n);
    return [...first, ...half(lower, low, valueTwo & LOWER)];
  }
  const [code, holds] = COMPARISONS[op];
  const [yes, no] = holds ? (["next", "fails"] as const) : (["fails", "next"] as const);
  const last = [lower, ifTest(code, low, yes, no)];
  if (narrow) return last;
  if (code === OP.ifEqual) return [upper, ifTest(code, high, "next", holds ? "fails" : "holds"), ...last];
  return [
    upper,
    ifTest(OP.ifGreater, high, holds ? "holds" : "fails", "next"),
    ifTest(OP.ifEqual, high, "next", holds ? "fails" : "holds"),
    ...last,
  ];
}

/** The kernel's tests are these; the others are what they are not. */
const COMPARISONS: Record<Exclude<Operator, "MASKED_EQ">, readonly [number, boolean]> = {
  EQ: [OP.ifEqual, true],
  NE: [OP.ifEqual, false],
  GT: [OP.ifGreater, true],
  LE: [OP.ifGreater, false],
  GE: [OP.ifNotLess, true],
  LT: [OP.ifNotLess, false],
};

function close(open: readonly (Open | Instruction)[], rest: number): Instruction[] {
  return open.map((one, index) => {
    if ("jt" in one) return one;
    const left = open.length - 1 - index;
    const distance = { next: 0, holds: left, fails: left + rest };
    return test(one.code, one.k, distance[one.where], distance[one.otherwise]);
  });
}
