/**
 * Go's nil slice and nil map, which Docker's answers are full of: `null` as JSON, but empty (`[]`, `map[]`) to a template.
 */
export const NIL_LIST: readonly never[] = Object.freeze(jsonNull([]));
export const NIL_MAP: Readonly<Record<string, never>> = Object.freeze(jsonNull({}));

function jsonNull<T extends object>(empty: T): T {
  return Object.defineProperty(empty, "toJSON", { value: () => null });
}

/** Adds fields that a template finds, but that are left out of JSON (Go's `omitempty`, and the names of its structs). */
export function withHidden<T extends object>(visible: T, hidden: Readonly<Record<string, unknown>>): T {
  for (const [name, value] of Object.entries(hidden))
    if (!Object.hasOwn(visible, name)) Object.defineProperty(visible, name, { value });
  return visible;
}
