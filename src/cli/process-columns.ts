import { type HostFacts, type ProcessFacts, TICKS } from "../linux/procfs.ts";
import { localTime } from "../linux/time.ts";
import { UsageError } from "./errors.ts";

/** A column of `top`: its header, and what stands under it. */
interface Column {
  readonly header: string;
  show(of: ProcessFacts, host: HostFacts): string | number;
}

const column = (header: string, show: Column["show"]): Column => ({ header, show });

/** By the names that ps(1) has for them ("STANDARD FORMAT SPECIFIERS"). */
const COLUMNS: Readonly<Record<string, Column>> = {
  pid: column("PID", ({ pid }) => pid),
  ppid: column("PPID", ({ ppid }) => ppid),
  pgid: column("PGID", ({ processGroup }) => processGroup),
  sid: column("SID", ({ session }) => session),
  uid: column("UID", ({ uid }) => uid),
  user: column("USER", userOf),
  comm: column("COMMAND", ({ command }) => printable(command)),
  args: column("COMMAND", commandLine),
  stat: column("STAT", describeState),
  tty: column("TT", terminalOf),
  time: column("TIME", ({ used }) => clock(used / TICKS)),
  etime: column("ELAPSED", (of, host) => elapsedText(elapsed(of, host))),
  start: column("STARTED", startOf),
  c: column("C", (of, host) => Math.floor(share(of, host))),
  pcpu: column("%CPU", (of, host) => share(of, host).toFixed(1)),
  pmem: column("%MEM", ({ resident }, host) => ((100 * resident) / host.memory).toFixed(1)),
  vsz: column("VSZ", ({ virtual }) => virtual),
  rss: column("RSS", ({ resident }) => resident),
  ni: column("NI", ({ nice }) => nice),
  nlwp: column("NLWP", ({ threads }) => threads),
};

const OTHER_NAMES: Readonly<Record<string, string>> = {
  cmd: "args",
  command: "args",
  ucmd: "comm",
  euser: "user",
  euid: "uid",
  pgrp: "pgid",
  sess: "sid",
  tt: "tty",
  tname: "tty",
  cputime: "time",
  "%cpu": "pcpu",
  "%mem": "pmem",
  vsize: "vsz",
  rssize: "rss",
  nice: "ni",
  thcount: "nlwp",
};

/** What `ps -ef` and `ps aux` show: the column's name, and its header there. */
const FULL = "user=UID,pid,ppid,c,start=STIME,tty=TTY,time,args=CMD";
const AUX = "user,pid,pcpu,pmem,vsz,rss,tty=TTY,stat,start=START,time,args";

/**
 * The columns that options of ps ask for: none and -ef, aux, or -o with names that may each have a header of their own
 * (`-o pid,args=WHAT`). Throws UsageError (1) on others, as on what the host's ps does not know.
 */
export function readColumns(options: readonly string[]): Column[] {
  const [first = "-ef", ...rest] = options;
  if (rest.length === 0 && ["-ef", "-fe", "-eF", "ef", "-f", "f"].includes(first)) return parseColumns(FULL);
  if (rest.length === 0 && ["aux", "-aux", "au", "ux", "u"].includes(first)) return parseColumns(AUX);
  const list = /^-?[eA]*o(.*)$/.exec(first);
  const names = list && [list[1] ?? "", ...rest].filter((text) => text !== "").join(",");
  if (names) return parseColumns(names);
  throw new UsageError(`cannot read ps options '${options.join(" ")}': use -ef, aux or -o COLUMN,COLUMN`, 1);
}

function parseColumns(list: string): Column[] {
  return list.split(/[, ]+/).map((item) => {
    const [name = "", header] = item.split("=");
    const real = Object.hasOwn(OTHER_NAMES, name) ? (OTHER_NAMES[name] ?? "") : name;
    const known = Object.hasOwn(COLUMNS, real) ? COLUMNS[real] : undefined;
    if (known) return header ? { ...known, header } : known;
    throw new UsageError(`unknown column '${name}': there are ${Object.keys(COLUMNS).join(", ")}`, 1);
  });
}

/** What a container's process calls itself must not steer a terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "?");
}

function commandLine({ args, command, state }: ProcessFacts): string {
  if (args.length > 0) return printable(args.join(" "));
  return `[${printable(command)}]${state === "Z" ? " <defunct>" : ""}`;
}

function userOf({ uid }: ProcessFacts, { users }: HostFacts): string {
  return users.get(uid) ?? String(uid);
}

/** ps(1), "PROCESS STATE CODES". */
function describeState({
  state,
  nice,
  pid,
  session,
  threads,
  processGroup,
  terminalGroup,
}: ProcessFacts): string {
  const priority = nice < 0 ? "<" : nice > 0 ? "N" : "";
  const leader = session === pid ? "s" : "";
  return `${state}${priority}${leader}${threads > 1 ? "l" : ""}${processGroup === terminalGroup ? "+" : ""}`;
}

/** tty_nr of proc(5): the minor in bits 31 to 20 and 7 to 0, the major in 15 to 8. Pseudo-terminals are majors 136 to 143. */
function terminalOf({ terminal }: ProcessFacts): string {
  const major = (terminal >> 8) & 0xff;
  const minor = (terminal & 0xff) | ((terminal >>> 12) & 0xfff00);
  if (terminal === 0) return "?";
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : `${major}:${minor}`;
}

function elapsed({ startTicks }: ProcessFacts, { uptime }: HostFacts): number {
  return Math.max(0, uptime - startTicks / TICKS);
}

/** CPU time in per cent of the time that it has lived. */
function share(of: ProcessFacts, host: HostFacts): number {
  const lived = elapsed(of, host);
  return lived === 0 ? 0 : (100 * of.used) / TICKS / lived;
}

const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");

/** Seconds as `[DD-]HH:MM:SS`. */
function clock(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  return `${days > 0 ? `${days}-` : ""}${two((seconds % 86400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
}

/** The same without hours that are none. */
function elapsedText(seconds: number): string {
  return seconds < 3600 ? clock(seconds).slice(3) : clock(seconds);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The hour and minute of the start, or the day where that was an earlier one. */
function startOf({ startTicks }: ProcessFacts, { bootTime, uptime }: HostFacts): string {
  const started = localTime((bootTime + startTicks / TICKS) * 1000);
  const today = localTime((bootTime + uptime) * 1000).slice(0, 10);
  if (started.startsWith(today)) return started.slice(11, 16);
  return `${MONTHS[Number(started.slice(5, 7)) - 1]}${started.slice(8, 10)}`;
}
