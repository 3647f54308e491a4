import { isErrno } from "./errno.ts";
import { readTextIfAny } from "./file.ts";
import { statFields } from "./process.ts";

/** What /proc tells of a process. Times are clock ticks of 1/100 s, sizes kB. */
export interface ProcessFacts {
  readonly pid: number;
  readonly ppid: number;
  /** The effective user. */
  readonly uid: number;
  readonly command: string;
  /** Empty for one that has given its arguments up, as a zombie has. */
  readonly args: readonly string[];
  readonly state: string;
  readonly session: number;
  readonly processGroup: number;
  readonly terminal: number;
  readonly terminalGroup: number;
  readonly used: number;
  readonly nice: number;
  readonly threads: number;
  /** Since boot. */
  readonly startTicks: number;
  readonly virtual: number;
  readonly resident: number;
}

/** The kernel's USER_HZ, which is the same on every architecture of ours (time(7)). */
export const TICKS = 100;

/** Facts from the texts of /proc/PID/{stat,status,cmdline} (proc(5)); undefined where they are none. */
export function parseProcess(stat: string, status: string, cmdline: string): ProcessFacts | undefined {
  const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
  if (open < 0 || close < open) return undefined;
  const fields = statFields(stat);
  // numbered as in proc(5), where the state is the third
  const at = (field: number): number => Number(fields[field - 3]);
  const kilobytes = (key: string): number =>
    Number(new RegExp(`^${key}:\\s*([0-9]+)`, "m").exec(status)?.[1] ?? 0);
  return {
    pid: Number(stat.slice(0, open)),
    ppid: at(4),
    uid: Number(/^Uid:\s*[0-9]+\s+([0-9]+)/m.exec(status)?.[1]),
    command: stat.slice(open + 1, close),
    args: cmdline === "" ? [] : cmdline.replace(/\0$/, "").split("\0"),
    state: fields[0] ?? "",
    processGroup: at(5),
    session: at(6),
    terminal: at(7),
    terminalGroup: at(8),
    used: at(14) + at(15),
    nice: at(19),
    threads: at(20),
    startTicks: at(22),
    virtual: kilobytes("VmSize"),
    resident: kilobytes("VmRSS"),
  };
}

/** The facts of a process of this host; undefined where it is gone. */
export function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const [stat, status, cmdline] = ["stat", "status", "cmdline"].map((file) =>
      readTextIfAny(`/proc/${pid}/${file}`),
    );
    if (stat === undefined || status === undefined || cmdline === undefined) return undefined;
    return parseProcess(stat, status, cmdline);
  } catch (error) {
    // it ended between the opening and the reading
    if (isErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}

/** The memory of this host, in kB. */
export function memoryTotal(): number {
  return Number(/^MemTotal:\s*([0-9]+)/m.exec(readTextIfAny("/proc/meminfo") ?? "")?.[1] ?? 0);
}

/** Bytes that went through network interfaces. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

/** All interfaces but lo, from the text of /proc/PID/net/dev (proc(5)). */
export function parseTraffic(text: string): Traffic {
  let [received, sent] = [0, 0];
  for (const line of text.split("\n")) {
    // a name may hold a colon (that of an alias), a number cannot
    const colon = line.lastIndexOf(":");
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    if (colon < 0 || line.slice(0, colon).trim() === "lo" || numbers.length < 9) continue;
    received += Number(numbers[0]);
    sent += Number(numbers[8]);
  }
  return { received, sent };
}

/** What the columns of `ps` need to know of the host: seconds since 1970 and since boot, memory in kB, names of users. */
export interface HostFacts {
  readonly bootTime: number;
  readonly uptime: number;
  readonly memory: number;
  readonly users: ReadonlyMap<number, string>;
}

/** The same of this host, now. */
export function hostFacts(): HostFacts {
  const number = (path: string, pattern: RegExp): number =>
    Number(pattern.exec(readTextIfAny(path) ?? "")?.[1] ?? 0);
  const users = new Map<number, string>();
  for (const line of (readTextIfAny("/etc/passwd") ?? "").split("\n")) {
    const [name = "", , uid = ""] = line.split(":");
    if (/^[0-9]+$/.test(uid) && !users.has(Number(uid))) users.set(Number(uid), name);
  }
  return {
    bootTime: number("/proc/stat", /^btime ([0-9]+)/m),
    uptime: number("/proc/uptime", /^([0-9.]+)/),
    memory: memoryTotal(),
    users,
  };
}
