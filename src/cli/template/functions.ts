import { isTrue, show, TemplateError } from "./values.ts";

type Fn = (...args: unknown[]) => unknown;

const text = (value: unknown): string => show(value);

function order(a: unknown, b: unknown): number {
  if (a !== null && b !== null && typeof a !== typeof b)
    throw new TemplateError(`incompatible types for comparison: ${show(a)} and ${show(b)}`);
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [text(a), text(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function index(value: unknown, ...keys: unknown[]): unknown {
  let inner = value;
  for (const key of keys) {
    if (Array.isArray(inner)) {
      if (typeof key !== "number" || key < 0 || key >= inner.length)
        throw new TemplateError(`index out of range: ${show(key)}`);
      inner = inner[key];
    } else if (typeof inner === "object" && inner !== null) {
      inner = Object.hasOwn(inner, text(key)) ? (inner as Record<string, unknown>)[text(key)] : "";
    } else throw new TemplateError(`can't index ${show(inner)}`);
  }
  return inner;
}

/** The verbs of Go's fmt that are not just the value's text. */
const FORMATS: Readonly<Record<string, (value: unknown, precision: string | undefined) => string>> = {
  q: (value) => JSON.stringify(text(value)),
  f: (value, precision) => Number(value).toFixed(Number(precision ?? 6)),
  s: (value, precision) => text(value).slice(0, precision === undefined ? undefined : Number(precision)),
  x: (value) => (typeof value === "number" ? value.toString(16) : Buffer.from(text(value)).toString("hex")),
};

/** fmt.Sprint: a blank between two operands that are both no strings. */
function print(...args: unknown[]): string {
  return args
    .map((arg, index) => {
      const apart = index > 0 && typeof arg !== "string" && typeof args[index - 1] !== "string";
      return `${apart ? " " : ""}${text(arg)}`;
    })
    .join("");
}

function printf(format: unknown, ...args: unknown[]): string {
  let next = 0;
  return text(format).replace(
    /%(-?)(0?)([0-9]*)(?:\.([0-9]+))?([%vsdqtfx])/g,
    (_, left, zero, width, precision, verb) => {
      if (verb === "%") return "%";
      const value = args[next++];
      const plain = FORMATS[verb]?.(value, precision) ?? text(value);
      return left ? plain.padEnd(Number(width)) : plain.padStart(Number(width), zero || " ");
    },
  );
}

/** A list, or a map's values, as the strings that `join` puts together. */
function texts(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(text);
  if (typeof value === "object" && value !== null) return Object.values(value).map(text);
  return value === null || value === undefined ? [] : [text(value)];
}

function length(value: unknown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  if (value === null || value === undefined) return 0;
  throw new TemplateError(`len of ${show(value)}`);
}

function slice(value: unknown, from: unknown = 0, to?: unknown): unknown {
  if (typeof value !== "string" && !Array.isArray(value)) throw new TemplateError(`slice of ${show(value)}`);
  const end = to === undefined ? value.length : Number(to);
  if (Number(from) > end || end > value.length)
    throw new TemplateError(`slice out of range: ${show(from)}:${end}`);
  return value.slice(Number(from), end);
}

/** The functions of Go's templates and those that Docker adds. */
export const FUNCTIONS: Readonly<Record<string, Fn>> = {
  json: (value) => JSON.stringify(value ?? null),
  join: (list, separator) => texts(list).join(text(separator)),
  split: (value, separator) => text(value).split(text(separator)),
  title: (value) => text(value).replace(/(?<![\p{L}\p{N}_])\p{L}/gu, (letter) => letter.toUpperCase()),
  lower: (value) => text(value).toLowerCase(),
  upper: (value) => text(value).toUpperCase(),
  pad: (value, before, after) =>
    text(value) === "" ? "" : " ".repeat(Number(before)) + text(value) + " ".repeat(Number(after)),
  truncate: (value, most) => text(value).slice(0, Number(most)),
  println: (...args) => `${args.map(text).join(" ")}\n`,
  print,
  printf,
  index,
  slice,
  len: length,
  not: (value) => !isTrue(value),
  // these two are evaluated argument by argument, see template.ts
  and: (...args) => args.at(-1),
  or: (...args) => args.at(-1),
  eq: (first, ...others) => others.some((other) => order(first, other) === 0),
  ne: (a, b) => order(a, b) !== 0,
  lt: (a, b) => order(a, b) < 0,
  le: (a, b) => order(a, b) <= 0,
  gt: (a, b) => order(a, b) > 0,
  ge: (a, b) => order(a, b) >= 0,
};
