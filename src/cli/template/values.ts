import { EngineError } from "../../linux/errors.ts";

/** A template that cannot be read or applied; Docker's exit code for it is 64. */
export class TemplateError extends EngineError {
  constructor(message: string) {
    super(`template: ${message}`, 64);
  }
}

/** Whether Go takes a value for true: not false, 0, nil, or empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** A value as Go's fmt prints it with %v. */
export function show(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === undefined) return "<no value>";
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, inner]) => `${key}:${show(inner)}`).join(" ")}]`;
}

/** `.Name` of a value. A missing field is an error, as on Go's structs: it is nearly always a slip. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, name))
    return (value as Record<string, unknown>)[name];
  if (value === null || value === undefined) throw new TemplateError(`nil has no field ${name}`);
  throw new TemplateError(`can't evaluate field ${name}: there is none of that name here`);
}
