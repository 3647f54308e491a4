import type { VolumeRecord } from "../volume/record.ts";
import { UsageError } from "./errors.ts";
import { combineFilters, hasLabel } from "./filter.ts";

type Test = (one: VolumeRecord) => boolean;

/** `volume ls --filter`; `used` says which volumes containers have. Throws UsageError. */
export function volumeFilter(filters: readonly string[], used: () => ReadonlyMap<string, unknown>): Test {
  return combineFilters<VolumeRecord>(filters, (key, value) => {
    switch (key) {
      case "name":
        return ({ name }) => name.includes(value);
      case "driver":
        return () => value === "local";
      case "label":
        return ({ labels }) => hasLabel(labels, value);
      case "dangling": {
        const wanted = toBoolean(key, value);
        const inUse = used();
        return ({ name }) => !inUse.has(name) === wanted;
      }
      default:
        throw new UsageError(`invalid filter '${key}': there are dangling, driver, label and name`);
    }
  });
}

/** `volume prune --filter`; `all` is the same as -a. Throws UsageError. */
export function pruneFilter(filters: readonly string[]): { readonly fits: Test; readonly all: boolean } {
  const isAll = (filter: string): boolean => filter.startsWith("all=");
  const all = filters.filter(isAll).some((filter) => toBoolean("all", filter.slice("all=".length)));
  const fits = combineFilters<VolumeRecord>(
    filters.filter((filter) => !isAll(filter)),
    (key, value) => {
      if (key === "label") return ({ labels }) => hasLabel(labels, value);
      if (key === "label!") return ({ labels }) => !hasLabel(labels, value);
      throw new UsageError(`invalid filter '${key}': there are all, label and label!`);
    },
  );
  return { fits, all };
}

function toBoolean(key: string, value: string): boolean {
  if (/^(true|1|t)$/i.test(value)) return true;
  if (/^(false|0|f)$/i.test(value)) return false;
  throw new UsageError(`invalid filter '${key}=${value}': it is true or false`);
}
