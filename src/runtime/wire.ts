/**
 * What TypeScript and the C shim say to each other. This file is the one definition: build.ts writes
 * the C header from it (see `wireHeader`), so the two sides cannot drift apart.
 *
 *   client ── control (seqpacket, fd 3) ── monitor | enter
 *   client ── channel (seqpacket, fd 5) ── init, or the process that exec makes
 *
 *   client                    monitor                    init
 *     │── posix_spawn ──────────▶ │
 *     │   (finds the image, makes folders and the v2 cgroup)
 *     │── BEGIN ────────────────▶ │── clone ─────────────▶ │
 *     │ ◀────────────── CREATED ──│                        │
 *     │── HOLD ─────────────────▶ │   (for published ports)
 *     │   (makes cgroups, mounts the overlay, writes the orders)
 *     │── LAUNCH ───────────────▶ │                        │
 *     │── LAUNCH ────────────────────────────────────────▶ │ joins cgroups, mounts its proc
 *     │ ◀───────────────────────────────────────── READY ──│
 *     │   (enters init's mount namespace, builds the root, pivots, leaves)
 *     │── GO ────────────────────────────────────────────▶ │ drops privileges
 *     │ ◀─────────────────────────────────────── EXECING ──│ execve: the channel closes,
 *     │ ◀──────────────────────────────── FAILED | (EOF) ──│ or FAILED tells why not
 *     │── COMMIT ───────────────▶ │   from here on the container outlives the client
 *     │── SIGNAL ───────────────▶ │
 *     │ ◀─── EXITED | DETACHED ───│   or UNWRITABLE: the client's stdout is closed, or its disk full
 *     │── DONE ─────────────────▶ │   removes the folders (the end without DONE: it becomes the reaper,
 *                                 │   a JavaScript process that does the client's part too)
 */

/** Descriptors of a shim process, by number: three are there from its start, and the library; the others come with BEGIN. */
export const FD = {
  control: 3,
  orders: 4,
  channel: 5,
  /** monitor: the container's folder, whose lock is the container's life. enter: pidfd of the container's init. */
  subject: 6,
  log: 7,
  ptyMaster: 8,
  ptySlave: 9,
  cgroup: 10,
  /** The container's state in /run, locked for as long as the monitor lives. */
  state: 11,
  library: 12,
  /** init: the network namespace that it is to be in. */
  netns: 13,
  /** init: the IPC namespace that it is to be in; monitor: the pid namespace that init is to be born in. */
  ipcns: 14,
  pidns: 15,
} as const;

export const ROLE = { monitor: 1, enter: 2 } as const;

/** What is asked for; bits of the second value of BEGIN. */
export const FLAG = {
  tty: 1,
  /** The program's stdin is a pipe (or the terminal) that stays open, else /dev/null. */
  stdin: 2,
  log: 4,
  /** A cgroup v2 folder is open as FD.cgroup and the process is born in it. */
  intoCgroup: 8,
  /** The program's output is copied to the client's stdout and stderr. */
  attached: 16,
  /** The client's stdin is copied to the program's. */
  attachStdin: 256,
  /** The container goes with its program: by the client, or by the reaper where there is none. */
  autoRemove: 64,
  /** The container is being created: it goes where its creator dies before COMMIT. */
  fresh: 512,
  /** Exit records are synced to disk. */
  durable: 128,
  /** The container's network namespace is that of another one, open as FD.netns. */
  joinNetwork: 1024,
  /** The same for its IPC namespace (FD.ipcns) and its pid namespace (FD.pidns). */
  joinIpc: 2048,
  joinPid: 4096,
  /** The container sees the cgroups as the host does. */
  hostCgroups: 8192,
  /** Its pid 1 is ours: it hands signals on to the program, and reaps what that leaves behind. */
  reaper: 16384,
} as const;

/** Messages; each is four 32-bit integers: kind and up to three values. */
export const MESSAGE = {
  /** The first one: role, flags, clone(2) flags; with descriptors (csrc/shim.c). */
  begin: 12,
  /**
   * Descriptors that the monitor keeps open for as long as it lives; any number of these messages before LAUNCH. With a port of
   * the container's, and the type of socket(2), they are sockets whose clients are to get there.
   */
  hold: 14,
  /** The orders are complete. */
  launch: 1,
  signal: 2,
  commit: 3,
  /** The client has taken the container out of the records: what is left may be removed. */
  done: 4,
  created: 5,
  /** The exit code, whether the container goes with its program, and whether memory was the reason of a kill in it. */
  exited: 6,
  detached: 7,
  /** The client's stdout or stderr (its number) cannot be written (errno): nothing more is copied to it. */
  unwritable: 13,
  failed: 8,
  ready: 9,
  go: 10,
  execing: 11,
} as const;

/** Where a shim process failed, in words: FAILED carries the index of the key, and the errno. */
export const STAGES = {
  none: "start",
  clone: "create the namespaces",
  pipe: "create a pipe",
  cgroup: "join the cgroup",
  cgroupns: "create the cgroup namespace",
  pidns: "join the pid namespace",
  private: "make the mounts private",
  proc: "mount /proc",
  hostname: "set the hostname",
  setns: "enter the container's namespaces",
  fork: "fork",
  cwd: "change to the working folder",
  terminal: "set up the terminal",
  groups: "set the groups",
  user: "set the user",
  capabilities: "set the capabilities",
  apparmor: "set the AppArmor profile",
  seccomp: "install the filter of system calls",
  exec: "run the program",
  memory: "get memory",
} as const;
export type Stage = keyof typeof STAGES;

export const ORDERS_MAGIC = 0x6d796431;

/**
 * The fields of the orders, in order. `u32` and `u64` are numbers; `text` is one NUL-terminated string,
 * `texts` several in a row, `words` 32-bit numbers in a row; these three are stored as (offset, count) from the start of the orders.
 */
export const FIELDS = {
  magic: "u64",
  capBounding: "u64",
  capEffective: "u64",
  capPermitted: "u64",
  capInheritable: "u64",
  capAmbient: "u64",
  uid: "u32",
  gid: "u32",
  umask: "u32",
  /** 1: what the program executes gains it no rights (prctl(2), PR_SET_NO_NEW_PRIVS). */
  noNewPrivileges: "u32",
  argv: "texts",
  env: "texts",
  cwd: "text",
  hostname: "text",
  /** The AppArmor profile that its program is to run under. */
  apparmor: "text",
  /** Where init mounts proc in its own mount namespace, for the client to move into place. */
  procAt: "text",
  groups: "words",
  /** Five for each limit of a process: its number, soft and hard, the lower half first. */
  rlimits: "words",
  /** The filter of its system calls: two for each instruction (seccomp/program.ts); none is no filter. */
  seccomp: "words",
  /** cgroup v1 `tasks` files to write "0" to. */
  joins: "texts",
  /** A file of the group with a line `oom_kill N`, read when the program has ended. */
  oomFile: "text",
  /** v1: where one asks to be told that memory is out. */
  oomControl: "text",
  /** The journal of events, and its lines for when memory was out and for the end, with @CODE@ and @TIME@. */
  journal: "text",
  oomEvent: "text",
  dieEvent: "text",
  /** Pairs of path (relative ones: in the container's folder) and text with @CODE@, @OOM@ and @TIME@. */
  reports: "texts",
  /** A file with the address, as 32 hexadecimal digits of IPv6, at which the ports of HOLD are; empty where there is none. */
  relayTo: "text",
  /** What undoes the container's start, each with its verb in front: `umount PATH`, `kill PATH`, `rmdir PATH`, `tidy PATH`, `unlink PATH`. */
  undo: "texts",
  /** Folders that go, with all that is in them, when the container does. */
  remove: "texts",
  /** The command line of the reaper, a JavaScript process that removes what is left. */
  reaper: "texts",
  /** The same for one that gives back what only JavaScript can, where the container's folder says that there is any. */
  settler: "texts",
  reaperEnv: "texts",
} as const;

export type FieldKind = (typeof FIELDS)[keyof typeof FIELDS];

const C_TYPES: Record<FieldKind, string> = {
  u32: "uint32_t",
  u64: "uint64_t",
  text: "struct span",
  texts: "struct span",
  words: "struct span",
};

/** The size in bytes of a field within the orders; the 64-bit numbers come first, so nothing is padded. */
export function fieldSize(kind: FieldKind): number {
  return kind === "u32" ? 4 : 8;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const shout = (prefix: string, name: string): string => `${prefix}_${snake(name).toUpperCase()}`;

/** The C header that says the same as this file. */
export function wireHeader(): string {
  const lines = [
    "// Written by build.ts from src/runtime/wire.ts: change it there.",
    "#ifndef WIRE_H",
    "#define WIRE_H",
    "#include <stdint.h>",
    `#define ORDERS_MAGIC 0x${ORDERS_MAGIC.toString(16)}u`,
    "struct span { uint32_t at, count; };",
    "struct message { int32_t kind, a, b, c; };",
  ];
  for (const [prefix, table] of Object.entries({ FD, ROLE, FLAG, MESSAGE }))
    for (const [name, value] of Object.entries(table)) lines.push(`#define ${shout(prefix, name)} ${value}`);
  Object.keys(STAGES).forEach((stage, index) => {
    lines.push(`#define STAGE_${stage.toUpperCase()} ${index}`);
  });
  lines.push("struct orders {");
  for (const [name, kind] of Object.entries(FIELDS)) lines.push(`  ${C_TYPES[kind]} ${snake(name)};`);
  lines.push("};", "#include <stddef.h>");
  let offset = 0;
  for (const [name, kind] of Object.entries(FIELDS)) {
    lines.push(`_Static_assert(offsetof(struct orders, ${snake(name)}) == ${offset}, "${name}");`);
    offset += fieldSize(kind);
  }
  lines.push("#endif", "");
  return lines.join("\n");
}
