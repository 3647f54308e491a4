import { ALL_CAPABILITIES } from "../../src/runtime/capabilities.ts";
import { changedCalls } from "./calls.ts";
import { grouped, table } from "./markdown.ts";
import { PATHS } from "./paths.ts";
import { found, look, type Seen, type State, type Subject, type Tried } from "./subject.ts";

/** Flags that change how far a container is confined; how Podman writes them where it has its own way. */
interface Variant {
  readonly flags: readonly string[];
  readonly podman?: readonly string[];
}

const VARIANTS: readonly Variant[] = [
  { flags: ["--privileged"] },
  { flags: ["--cap-drop", "ALL"] },
  { flags: ["--cap-add", "ALL"] },
  { flags: ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"] },
  { flags: ["--security-opt", "no-new-privileges"] },
  { flags: ["--security-opt", "seccomp=unconfined"] },
  { flags: ["--security-opt", "systempaths=unconfined"], podman: ["--security-opt", "unmask=ALL"] },
  { flags: ["--security-opt", "writable-cgroups=true"] },
  { flags: ["--security-opt", "apparmor=unconfined"] },
  { flags: ["--security-opt", "label=disable"] },
  { flags: ["--user", "1000"] },
  { flags: ["--user", "1000", "--cap-add", "NET_ADMIN"] },
  { flags: ["--group-add", "4711"] },
  { flags: ["--pids-limit", "-1"] },
  { flags: ["--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"] },
  { flags: ["--userns", "auto"] },
  { flags: ["--pid", "host"] },
  { flags: ["--ipc", "host"] },
  { flags: ["--uts", "host"] },
  { flags: ["--network", "host"] },
  { flags: ["--cgroupns", "host"] },
  { flags: ["--cgroupns", "private"] },
];

/** An engine with what it does by default. */
export interface Compared {
  readonly subject: Subject;
  readonly usual: Seen;
}

/** What each flag changes in each engine, against its own default. */
export function tellVariants(all: readonly Compared[], say: (text: string) => void): string {
  const rows = VARIANTS.map(({ flags, podman }) => {
    say(flags.join(" "));
    const note = podman ? ` (Podman: \`${podman.join(" ")}\`)` : "";
    const cells = all.map(({ subject, usual }) => {
      const own = subject.name === "podman" && podman ? podman : flags;
      return tellChange(usual, look(subject, own, PATHS));
    });
    return [`\`${flags.join(" ")}\`${note}`, ...cells];
  });
  return table(["", ...all.map(({ subject }) => subject.title)], rows);
}

/** What a program that `exec` starts finds other than the container's own. */
export function tellExec(
  all: readonly (Compared & { readonly exec: Tried<Seen>; readonly privilegedExec: Tried<Seen> })[],
): string {
  const rows = [
    ["`exec`", ...all.map(({ usual, exec }) => tellChange(usual, exec))],
    ["`exec --privileged`", ...all.map(({ usual, privilegedExec }) => tellChange(usual, privilegedExec))],
  ];
  return table(["", ...all.map(({ subject }) => subject.title)], rows);
}

/** `--cap-add` of each capability: what a program may do then that it may not without, besides having it. */
export function tellCapabilities(all: readonly Compared[], say: (text: string) => void): string {
  const rows = ALL_CAPABILITIES.map((full, number) => {
    const name = full.replace("CAP_", "");
    say(`--cap-add ${name}`);
    const cells = all.map(({ subject, usual }) => {
      const seen = look(subject, ["--cap-add", name], PATHS);
      if ("missing" in seen) return `cannot be run: ${seen.missing}`;
      const has = (state: State): boolean =>
        ((BigInt(`0x${found(state, "status", "CapEff") ?? "0"}`) >> BigInt(number)) & 1n) === 1n;
      if (!has(seen.state)) return "**not given**";
      const change = tellChange(usual, seen, true);
      return has(usual.state) ? `by default${change === NOTHING ? "" : `; ${change}`}` : change;
    });
    return { name, cells };
  });
  const together = grouped(rows, ({ cells }) => cells);
  const lines = together.map(({ items, cells }) => [items.map(({ name }) => name).join(", "), ...cells]);
  return table(["", ...all.map(({ subject }) => subject.title)], lines);
}

const NOTHING = "nothing else";

/** Two states of an engine against each other, in words; `capability`: what every capability changes is left out. */
function tellChange(usual: Seen, seen: Tried<Seen>, capability = false): string {
  if ("missing" in seen) return `cannot be run: ${seen.missing}`;
  const words = [
    ...statusWords(usual.state, seen.state, capability),
    ...namespaceWords(usual.state, seen.state),
    ...pathWords(usual.state, seen.state),
    ...mountWords(usual.state, seen.state),
    ...writableWords(usual.state, seen.state),
    ...sectionWords(usual.state, seen.state, "sysctl", (name, is) => `${name}: ${is}`),
    ...sectionWords(usual.state, seen.state, "device", (name, is) =>
      name === "nodes in /dev" ? `${is} devices in /dev` : "",
    ),
    ...nodeWords(usual.state, seen.state),
    ...attemptWords(usual.state, seen.state),
    ...callWords(usual, seen),
  ].filter(Boolean);
  return words.length > 0 ? words.join("; ") : NOTHING;
}

function sectionWords(
  before: State,
  after: State,
  section: string,
  tell: (name: string, is: string) => string,
): string[] {
  return [...(after.get(section) ?? [])].flatMap(([name, is]) =>
    found(before, section, name) === is ? [] : [tell(name, is)],
  );
}

function statusWords(before: State, after: State, capability: boolean): string[] {
  const left = capability ? /^Cap/ : /^(CapPrm|CapBnd)/;
  return sectionWords(before, after, "status", (name, is) =>
    left.test(name) ? "" : `${name} ${is || "none"}`,
  );
}

/** A new container has new ones each time: only what the engine's own process has too is the host's. */
function namespaceWords(before: State, after: State): string[] {
  return [...(after.get("namespace") ?? [])].flatMap(([name, link]) => {
    const [was, is] = [found(before, "host", name), link].map((one) => one ?? "");
    const usual = found(before, "namespace", name);
    if (is === was && usual !== was) return [`the host's ${name} namespace`];
    return usual === was && is !== was ? [`its own ${name} namespace`] : [];
  });
}

function pathWords(before: State, after: State): string[] {
  const changed = sectionWords(before, after, "path", (path) => path);
  const byState = Map.groupBy(changed, (path) => found(after, "path", path) ?? "");
  return [...byState].map(
    ([state, paths]) => `${state}: ${paths.length > 6 ? `${paths.length} paths` : paths.join(" ")}`,
  );
}

function mountWords(before: State, after: State): string[] {
  const access = (state: State, place: string): string =>
    (found(state, "mount", place) ?? "").split(/[ ,]/)[0] ?? "";
  return ["/proc", "/sys", "/sys/fs/cgroup", "/sys/fs/cgroup/pids"].flatMap((place) =>
    access(before, place) === access(after, place) ? [] : [`${place} ${access(after, place)}`],
  );
}

/** How many files there are to count differs from container to container; how many of them can be written does not. */
function writableWords(before: State, after: State): string[] {
  return sectionWords(before, after, "writable", (path, is) => {
    const number = (text = ""): string => text.split(" ")[0] ?? "";
    const same = number(is) === number(found(before, "writable", path));
    return same ? "" : `${number(is)} files writable in ${path}`;
  });
}

function nodeWords(before: State, after: State): string[] {
  const can = (text = ""): boolean => / open: yes/.test(text);
  const opened = sectionWords(before, after, "node", (name, is) =>
    can(is) && !can(found(before, "node", name)) ? (name.split(" ")[0] ?? "") : "",
  ).filter(Boolean);
  return opened.length > 0 ? [`device nodes that can be made and opened: ${opened.join(", ")}`] : [];
}

function attemptWords(before: State, after: State): string[] {
  const now = sectionWords(before, after, "attempt", (name, is) => (is === "yes" ? name : ""));
  const gone = sectionWords(before, after, "attempt", (name) =>
    found(before, "attempt", name) === "yes" ? name : "",
  );
  const list = (names: readonly string[]): string => names.filter(Boolean).join(", ");
  return [list(now) && `succeeds: ${list(now)}`, list(gone) && `fails: ${list(gone)}`];
}

function callWords(before: Seen, after: Seen): string[] {
  const { more, less } = changedCalls(before.calls, after.calls);
  const list = (names: readonly string[]): string =>
    names.length > 30 ? "" : `: ${names.map((name) => `\`${name}\``).join(" ")}`;
  const tell = (names: readonly string[], how: string): string =>
    names.length > 0
      ? `${names.length} system ${names.length > 1 ? "calls" : "call"} ${how}${list(names)}`
      : "";
  return [tell(more, "more"), tell(less, "less")];
}
