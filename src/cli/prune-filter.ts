import { UsageError } from "./errors.ts";
import { combineFilters, hasLabel } from "./filter.ts";
import { timeOf } from "./image-filter.ts";

interface Prunable {
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
}

/** `prune --filter` of containers and networks: until, label and label!. Throws UsageError on another key. */
export function pruneFilter(filters: readonly string[]): (one: Prunable) => boolean {
  return combineFilters<Prunable>(filters, (key, value) => {
    if (key === "label") return ({ labels }) => hasLabel(labels, value);
    if (key === "label!") return ({ labels }) => !hasLabel(labels, value);
    if (key === "until") {
      const moment = timeOf(value);
      return ({ created }) => Date.parse(created) < moment;
    }
    throw new UsageError(`invalid filter '${key}': there are until, label and label!`);
  });
}
