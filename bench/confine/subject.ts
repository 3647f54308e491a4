import type { FullEngine } from "../full.ts";
import { output } from "../measure.ts";
import { INSIDE } from "./programs.ts";

/** What the program calls.c found: a verdict by label. */
export type Verdicts = ReadonlyMap<string, string>;
/** What state.c found: by section, in the order of its lines. */
export type State = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What came of one way to run a container. */
export interface Seen {
  readonly calls: Verdicts;
  readonly state: State;
}
/** Or why it could not be run. */
export type Tried<T> = T | { readonly missing: string };

/** An engine as it is compared here; what it is run with besides the flags in question. */
export interface Subject {
  /** With its version, as it heads a column. */
  readonly title: string;
  readonly name: string;
  readonly engine: FullEngine;
  /** The flag that mounts the programs, and others that are always given. */
  readonly flags: readonly string[];
}

/** The last of the program's words, which is where engines say why; what differs from run to run left out. */
function reasonOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  const lines = words.split("\n").filter((line) => line.trim() && !/^(Run |See )/.test(line));
  const last = (lines.at(-1) ?? words).replace(/^.*?exit code \d+: /, "");
  // a program that says nothing to stderr
  const silent = /: (exit code \d+)$/.exec(last)?.[1];
  if (silent) return silent;
  const short = last.replace(/^.*(?=(runc|crun|mydocker|podman|Error)[: ])/s, "").replace(/: unknown$/, "");
  return short.replaceAll(/\/var\/tmp\/\S+/g, "…").trim();
}

export function attempt<T>(work: () => T): Tried<T> {
  try {
    return work();
  } catch (error) {
    return { missing: reasonOf(error) };
  }
}

/** Runs one of the programs in a new container. */
export function runIn(
  subject: Subject,
  flags: readonly string[],
  program: string,
  ...args: string[]
): string {
  const command = subject.engine.runWith(
    ["--rm", ...subject.flags, ...flags],
    [`${INSIDE}/${program}`, ...args],
  );
  return output(command);
}

export function readVerdicts(text: string): Verdicts {
  const pairs = text.split("\n").flatMap((line): [string, string][] => {
    const [label = "", verdict = ""] = line.split("\t");
    return label ? [[label, verdict]] : [];
  });
  return new Map(pairs);
}

export function readState(text: string): State {
  const sections = new Map<string, Map<string, string>>();
  for (const line of text.split("\n")) {
    const [section = "", name = "", value = ""] = line.split("\t");
    if (!section) continue;
    const names = sections.get(section) ?? new Map<string, string>();
    sections.set(section, names);
    // of two mounts on one another the later one counts
    names.set(name, value.trim());
  }
  return sections;
}

/** Both programs in new containers. */
export function look(subject: Subject, flags: readonly string[], paths: readonly string[]): Tried<Seen> {
  return attempt(() => ({
    calls: readVerdicts(runIn(subject, flags, "calls")),
    state: readState(runIn(subject, flags, "state", ...paths)),
  }));
}

export const found = (state: State, section: string, name: string): string | undefined =>
  state.get(section)?.get(name);
