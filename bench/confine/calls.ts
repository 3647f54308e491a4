import { type Arch, callNumbers, X32_BIT } from "../../src/runtime/seccomp/numbers.ts";
import { grouped, ranges, table } from "./markdown.ts";
import type { Verdicts } from "./subject.ts";

/** The verdicts of one column. */
export interface Column {
  readonly title: string;
  readonly calls: Verdicts;
}

/** A way into the kernel, as calls.c names it. */
const ENTRIES = [
  { entry: "x86-64", arch: "X86_64", what: "x86-64 (`syscall`)" },
  { entry: "i386", arch: "X86", what: "i386 (`int 0x80`)" },
  { entry: "x32", arch: "X32", what: "x32 (`syscall` with bit 30)" },
] as const satisfies { entry: string; arch: Arch; what: string }[];
type Entry = (typeof ENTRIES)[number];

const BY_ARGUMENTS = "by arguments";
/** Where a call lets the kernel's own debugger in: seccomp is not asked (kernel/seccomp.c). */
const UNASKED = new Set(["uretprobe", "uprobe"]);
const ARGUED = new Set(["socket", "personality", "clone", "unshare", "setns"]);
const ERRNOS: Readonly<Record<string, string>> = {
  "errno 1": "EPERM",
  "errno 38": "ENOSYS",
  "errno 22": "EINVAL",
};

const wordFor = (verdict: string | undefined): string =>
  verdict === "allow" ? "yes" : (ERRNOS[verdict ?? ""] ?? verdict ?? "?");

/** The calls of an entry that have a name, by number without the entry's bit. */
function namesOf({ arch }: Entry): Map<number, string> {
  const names = new Map<number, string>();
  for (const [name, number] of callNumbers(arch)) if (!UNASKED.has(name)) names.set(number & ~X32_BIT, name);
  return names;
}

/** Of all that was asked of a call: with arguments of zeros and of ones, and with others where its arguments are known to count. */
function verdictOn(calls: Verdicts, { entry }: Entry, number: number, name: string): string {
  const words = [calls.get(`${entry} ${number}`), calls.get(`${entry} ${number} ones`)];
  const own = entry === "x86-64" ? `${name} ` : `${name}-${entry} `;
  if (ARGUED.has(name)) for (const [label, verdict] of calls) if (label.startsWith(own)) words.push(verdict);
  return new Set(words).size === 1 ? wordFor(words[0]) : BY_ARGUMENTS;
}

const isAllowed = (word: string): boolean => word === "yes" || word === BY_ARGUMENTS;

/** How many calls of each entry each column allows and how it refuses the others. */
function counts(columns: readonly Column[]): string {
  const rows = ENTRIES.flatMap((entry) => {
    const named = [...namesOf(entry)].filter(([number]) =>
      columns.some(({ calls }) => calls.has(`${entry.entry} ${number}`)),
    );
    const words = columns.map(({ calls }) =>
      named.map(([number, name]) => verdictOn(calls, entry, number, name)),
    );
    const tally = (wanted: (word: string) => boolean): string[] =>
      words.map((column) => `${column.filter(wanted).length}`);
    const unknown = columns.map(({ calls }) => wordFor(calls.get(`${entry.entry} 999`)));
    return [
      [`${entry.what}: ${named.length} calls, allowed`, ...tally(isAllowed)],
      ["… of them by their arguments", ...tally((word) => word === BY_ARGUMENTS)],
      ["… refused with EPERM", ...tally((word) => word === "EPERM")],
      ["… refused with ENOSYS", ...tally((word) => word === "ENOSYS")],
      ["… a call that does not exist (999)", ...unknown],
    ];
  });
  return table(["", ...columns.map(({ title }) => title)], rows);
}

/** The calls of which not all columns think the same. */
function differences(columns: readonly Column[]): string {
  const shown = new Map<string, string>();
  return ENTRIES.map((entry) => {
    const calls = [...namesOf(entry)].map(([number, name]) => ({
      name,
      cells: columns.map((column) => verdictOn(column.calls, entry, number, name)),
    }));
    const differing = calls.filter(({ name, cells }) => {
      const unlike = new Set(cells.map(isAllowed)).size > 1;
      const known = shown.get(name) === cells.join();
      if (unlike && !known && entry.entry === "x86-64") shown.set(name, cells.join());
      return unlike && !known;
    });
    const rows = grouped(differing, ({ cells }) => cells).map(({ items, cells }) => [
      items
        .map(({ name }) => `\`${name}\``)
        .sort()
        .join(" "),
      ...cells,
    ]);
    const also = entry.entry === "x86-64" ? "" : ", where it is not as with x86-64";
    if (rows.length === 0) return `${entry.what}${also}: no difference.`;
    return table([`${entry.what}${also}`, ...columns.map(({ title }) => title)], rows);
  }).join("\n\n");
}

const FLAGS: Readonly<Record<number, string>> = {
  7: "NEWTIME (to `clone` a signal)",
  ...{ 8: "VM", 9: "FS", 10: "FILES", 11: "SIGHAND", 12: "PIDFD", 13: "PTRACE", 14: "VFORK", 15: "PARENT" },
  ...{ 16: "THREAD", 17: "NEWNS", 18: "SYSVSEM", 19: "SETTLS", 20: "PARENT_SETTID", 21: "CHILD_CLEARTID" },
  ...{ 22: "DETACHED", 23: "UNTRACED", 24: "CHILD_SETTID", 25: "NEWCGROUP", 26: "NEWUTS", 27: "NEWIPC" },
  ...{ 28: "NEWUSER", 29: "NEWPID", 30: "NEWNET", 31: "IO", 32: "CLEAR_SIGHAND", 33: "INTO_CGROUP" },
};
const FAMILIES: Readonly<Record<number, string>> = { 16: "NETLINK", 38: "ALG", 40: "VSOCK" };

const flagNames = (bits: readonly number[]): string => {
  const named = bits.filter((bit) => FLAGS[bit]).map((bit) => FLAGS[bit]);
  const signals = bits.some((bit) => bit < 7) ? ["a signal (0–6)"] : [];
  return bits.length > 25 ? `all ${bits.length} bits` : [...signals, ...named].join(", ");
};
const familyNames = (families: readonly number[]): string =>
  families.length < 3
    ? families.map((one) => `${one} (AF_${FAMILIES[one] ?? "?"})`).join(", ")
    : ranges(families);
const numbers = (all: readonly number[]): string => ranges(all);
const hex = (all: readonly number[]): string => all.map((one) => `0x${one.toString(16)}`).join(", ");

/** Probes of one call with many values of one argument: how calls.c names them, and how their values are told. */
const BY_VALUE: readonly {
  readonly label: string;
  readonly what: string;
  readonly tell: (all: readonly number[]) => string;
}[] = [
  { label: "socket", what: "`socket`, family", tell: familyNames },
  { label: "socket-upper", what: "… with a bit in the upper half", tell: familyNames },
  { label: "socket-i386", what: "… i386", tell: familyNames },
  { label: "socket-x32", what: "… x32", tell: familyNames },
  { label: "netlink", what: "`socket` of AF_NETLINK, protocol", tell: numbers },
  { label: "personality", what: "`personality`", tell: hex },
  { label: "personality-upper", what: "… with a bit in the upper half", tell: hex },
  { label: "personality-i386", what: "… i386", tell: hex },
  { label: "clone", what: "`clone`, one flag", tell: flagNames },
  { label: "clone-i386", what: "… i386", tell: flagNames },
  { label: "unshare", what: "`unshare`, one flag", tell: flagNames },
  { label: "setns", what: "`setns`, one type", tell: flagNames },
  { label: "ioctl", what: "`ioctl`: TIOCSTI, TIOCLINUX", tell: () => "" },
];

/** What arguments decide, in full. */
function byValue(columns: readonly Column[]): string {
  const labels = [...(columns[0]?.calls.keys() ?? [])];
  const rows = BY_VALUE.flatMap(({ label, what, tell }) => {
    const values = labels.filter((one) => one.startsWith(`${label} `));
    return grouped(values, (one) => columns.map(({ calls }) => wordFor(calls.get(one)))).map(
      ({ items, cells }) => [
        `${what} ${tell(items.map((one) => Number(one.split(" ")[1])))}`.trim(),
        ...cells,
      ],
    );
  });
  return table(["", ...columns.map(({ title }) => title)], rows);
}

/** The system calls that containers of the columns may make. */
export function tellCalls(columns: readonly Column[]): string {
  return [
    "### System calls: how many\n",
    counts(columns),
    "\n### System calls on which they differ\n",
    differences(columns),
    "\n### System calls whose arguments decide\n",
    byValue(columns),
  ].join("\n");
}

/** What of x86-64's calls is allowed now that was not, and the other way round; calls whose arguments count included. */
export function changedCalls(before: Verdicts, after: Verdicts): { more: string[]; less: string[] } {
  const [entry] = ENTRIES;
  const changed = { more: [] as string[], less: [] as string[] };
  for (const [number, name] of namesOf(entry)) {
    const [was, is] = [verdictOn(before, entry, number, name), verdictOn(after, entry, number, name)];
    if (was === is) continue;
    const arguable = is === BY_ARGUMENTS ? `${name} (by arguments)` : name;
    if (is === "yes" || (is === BY_ARGUMENTS && !isAllowed(was))) changed.more.push(arguable);
    else changed.less.push(arguable);
  }
  return changed;
}
