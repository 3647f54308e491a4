import { grouped, table } from "./markdown.ts";
import { PATHS } from "./paths.ts";
import { found, type State } from "./subject.ts";

/** What one engine's container looks like from inside, with what is known of it from outside. */
export interface View {
  readonly title: string;
  readonly state: State;
  /** The same in a container without a filter: keyctl(2) is refused otherwise. */
  readonly unfiltered: State;
  /** What its OCI configuration asks for: paths that this kernel does not have as well. */
  readonly masked: readonly string[];
  readonly readonly: readonly string[];
  /** Lines of the devices cgroup. */
  readonly devices: readonly string[];
}

const NO = "–";

/** The host's own namespaces and keyring tell which of a container's are its own. */
export function tellInside(views: readonly View[], host: State): string {
  const head = ["", ...views.map(({ title }) => title)];
  const parts = [
    ["### The process", section(views, "status")],
    ["### Namespaces and keyring", [...namespaces(views, host), keyring(views, host)]],
    ["### Paths of the kernel's", paths(views)],
    ["### Mounts", mounts(views)],
    ["### Devices", [...section(views, "device"), ...section(views, "node"), deviceRules(views)]],
    ["### Limits (soft / hard)", section(views, "ulimit")],
    [
      "### Kernel parameters, and files that can be opened for writing",
      [...section(views, "sysctl"), ...writable(views)],
    ],
    ["### What a program may really do", section(views, "attempt")],
  ] as const;
  return parts.map(([title, rows]) => `${title}\n\n${table(head, rows)}`).join("\n\n");
}

/** Every name of a section that some view has; neighbours of which all views say the same in one row stay apart. */
function section(views: readonly View[], name: string): string[][] {
  const names = new Set(views.flatMap(({ state }) => [...(state.get(name)?.keys() ?? [])]));
  const rows = [...names].map((one) => [one, ...views.map(({ state }) => found(state, name, one) ?? NO)]);
  // a pids limit is at one of two places, and the other says so
  return rows.filter((cells) => cells.slice(1).some((cell) => cell !== "ENOENT"));
}

function namespaces(views: readonly View[], host: State): string[][] {
  return [...(host.get("namespace") ?? [])].map(([name, link]) => [
    name,
    ...views.map(({ state }) => (found(state, "namespace", name) === link ? "the host's" : "its own")),
  ]);
}

/** keyctl(2) describes a keyring as `type;uid;gid;permissions;name`. */
function keyring(views: readonly View[], host: State): string[] {
  const idOf = (text: string | undefined): string => text?.split(" ")[0] ?? "";
  const hosts = idOf(found(host, "keyring", "session"));
  const cells = views.map(({ unfiltered }) => {
    const text = found(unfiltered, "keyring", "session");
    if (!text || !/^\d/.test(text)) return text ?? NO;
    if (idOf(text) === hosts) return "the caller's";
    const name = (text.split(";").at(-1) ?? "").replace(/[0-9a-f]{64}/, "ID");
    return `its own (named ${name})`;
  });
  return ["session keyring (looked at without a filter)", ...cells];
}

/** What is there by effect; where the kernel has no such path, what would be. */
export function pathState(view: View, path: string): string {
  const effect = found(view.state, "path", path) ?? NO;
  if (effect !== "absent") return effect;
  if (view.masked.includes(path)) return "(masked)";
  return view.readonly.includes(path) ? "(read-only)" : "(open)";
}

function paths(views: readonly View[]): string[][] {
  const all = new Set([...PATHS, ...views.flatMap((view) => [...view.masked, ...view.readonly])]);
  return grouped([...all].sort(), (path) => views.map((view) => pathState(view, path))).map(
    ({ items, cells }) => [items.map((path) => `\`${path}\``).join(" "), ...cells],
  );
}

/** Flags and the file system's own options, less what tells nothing of confinement. */
function mountWords(text: string | undefined): string {
  if (text === undefined) return NO;
  const [own = "", rest = ""] = text.split(/(?:^| )- /);
  const [type = "", , system = ""] = rest.split(" ");
  const shared = /shared:|master:/.exec(own)?.[0];
  const flags = (own.split(" ")[0] ?? "").split(",").filter((flag) => !/^(relatime|nodiratime)$/.test(flag));
  const options = system.split(",").filter((one) => /^(size|mode|gid|ptmxmode|nr_inodes)=/.test(one));
  const readOnly = system.split(",").includes("ro") && !flags.includes("ro") ? ["(file system: ro)"] : [];
  return [
    type,
    flags.join(","),
    options.join(","),
    ...readOnly,
    ...(shared ? [`(${shared.slice(0, -1)})`] : []),
  ]
    .filter(Boolean)
    .join(" ");
}

const PLACES = [
  "/",
  "/proc",
  "/sys",
  "/dev",
  "/dev/pts",
  "/dev/shm",
  "/dev/mqueue",
  "/sys/fs/cgroup",
  "/sys/fs/cgroup/pids",
];

function mounts(views: readonly View[]): string[][] {
  const shown = PLACES.map((place) => [
    `\`${place}\``,
    ...views.map(({ state }) => mountWords(found(state, "mount", place))),
  ]);
  const others = views.map((view) => {
    const known = new Set([...PLACES, ...view.masked, ...view.readonly]);
    const rest = [...(view.state.get("mount")?.keys() ?? [])].filter(
      (place) => !known.has(place) && !/^\/(probe$|sys\/fs\/cgroup\/)/.test(place),
    );
    return rest.sort().join(" ");
  });
  return [...shown, ["others", ...others]];
}

function deviceRules(views: readonly View[]): string[] {
  const shared =
    views[0]?.devices.filter((line) => views.every(({ devices }) => devices.includes(line))) ?? [];
  return [
    `device rules besides those of all (${shared.join(", ")})`,
    ...views.map(({ devices }) => devices.filter((line) => !shared.includes(line)).join(", ") || NO),
  ];
}

function writable(views: readonly View[]): string[][] {
  const counts = section(views, "writable").map(([path = "", ...cells]) => [
    `files writable in \`${path}\``,
    ...cells,
  ]);
  const names = views.map(({ state }) => [...(state.get("writable in /proc")?.keys() ?? [])].join(" ") || NO);
  return [...counts, ["… which in /proc", ...names]];
}
