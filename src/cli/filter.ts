import { exposedPorts } from "../container/inspect-network.ts";
import { statusOf } from "../container/liveness.ts";
import { attachmentOf } from "../container/network.ts";
import type { Paths } from "../container/paths.ts";
import { portsOf } from "../container/ports.ts";
import type { State } from "../container/record.ts";
import { findId, readContainer } from "../container/store.ts";
import { UsageError } from "./errors.ts";
import { parseExpose } from "./ports.ts";

/** Docker's states, and the classic word for one that `stop` has ended. */
const STATUSES = new Set([
  "created",
  "running",
  "paused",
  "restarting",
  "exited",
  "removing",
  "dead",
  "stopped",
]);

type Test = (state: State) => boolean;

/**
 * What --filter means everywhere: values of one key are alternatives, different keys must all fit (labels all of them).
 * `testFor` makes the test of one value, and throws on a key that there is none of.
 */
export function combineFilters<T>(
  filters: readonly string[],
  testFor: (key: string, value: string) => (one: T) => boolean,
): (one: T) => boolean {
  const byKey = new Map<string, ((one: T) => boolean)[]>();
  for (const filter of filters) {
    const equals = filter.indexOf("=");
    if (equals < 1) throw new UsageError(`invalid filter '${filter}': it must be KEY=VALUE`);
    const key = filter.slice(0, equals);
    // labels must all be there, so each is a group of its own
    const group = key === "label" ? filter : key;
    byKey.set(group, [...(byKey.get(group) ?? []), testFor(key, filter.slice(equals + 1))]);
  }
  const groups = [...byKey.values()];
  return (one) => groups.every((tests) => tests.some((test) => test(one)));
}

/** Whether a label is there, `NAME` with any value or `NAME=VALUE`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [name = "", ...rest] = wanted.split("=");
  return Object.hasOwn(labels, name) && (rest.length === 0 || labels[name] === rest.join("="));
}

/** `ps --filter`. Throws on a key that there is none of. */
export function containerFilter(paths: Paths, filters: readonly string[]): Test {
  return combineFilters(filters, (key, value) => testFor(paths, key, value));
}

function testFor(paths: Paths, key: string, value: string): Test {
  const record = (state: State): ReturnType<typeof readContainer>["record"] =>
    readContainer(paths, state.id).record;
  switch (key) {
    case "id":
      return (state) => state.id.startsWith(value);
    case "name":
      return nameTest(value);
    case "status":
      if (!STATUSES.has(value))
        throw new UsageError(`invalid filter 'status=${value}': it is one of ${[...STATUSES].join(", ")}`);
      return (state) => statusOf(state) === value || state.status === value;
    case "exited":
      if (!/^-?[0-9]+$/.test(value))
        throw new UsageError(`invalid filter 'exited=${value}': it is an exit code`);
      return (state) => statusOf(state) === "exited" && String(state.exitCode) === value;
    case "ancestor":
      return (state) =>
        state.image === value || state.image === `${value}:latest` || `${state.image}:latest` === value;
    case "label":
      return (state) => hasLabel(record(state).labels, value);
    case "volume":
      return (state) =>
        record(state).volumes.some(
          (one) => one.name === value || one.source === value || one.destination === value,
        );
    case "network":
      return (state) => {
        const { endpoints = [], network } = record(state);
        return [network, ...endpoints.map((one) => one.network)].includes(value);
      };
    case "publish":
    case "expose": {
      const wanted = new Set(parseExpose(value));
      return (state) => {
        const { id } = state;
        const ports =
          key === "publish" ? [...portsOf(attachmentOf(paths, id)).keys()] : exposedPorts(record(state));
        return ports.some((port) => wanted.has(port));
      };
    }
    case "before":
    case "since": {
      const { created } = readContainer(paths, findId(paths, value)).record;
      return (state) => (key === "before" ? state.created < created : state.created > created);
    }
    default:
      throw new UsageError(
        `invalid filter '${key}': there are id, name, status, exited, ancestor, label, volume, network, publish, expose, before and since`,
        125,
      );
  }
}

/** Docker takes the value as a regular expression that may fit anywhere in the name (with or without its slash). */
function nameTest(value: string): Test {
  let pattern: RegExp;
  try {
    pattern = new RegExp(value);
  } catch {
    throw new UsageError(`invalid filter 'name=${value}': it is no regular expression`);
  }
  return (state) => pattern.test(state.name) || pattern.test(`/${state.name}`);
}
