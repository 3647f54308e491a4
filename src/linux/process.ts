import { isErrno, SysError } from "./errno.ts";
import { readBytes, readText, readTextIfAny } from "./file.ts";
import { address, check, cstr, library, SYS, syscall } from "./libc.ts";
import { fromBytes } from "./text.ts";

const libc = library({
  posix_spawn: "ppppppi",
  posix_spawn_file_actions_init: "pi",
  posix_spawn_file_actions_adddup2: "piii",
  posix_spawnattr_init: "pi",
  posix_spawnattr_setflags: "pii",
  posix_spawnattr_setsigmask: "ppi",
  waitpid: "ipii",
  _exit: "ii",
  geteuid: "i",
  umask: "ii",
  write: "ipll",
});

const SPAWN_SETSIGMASK = 8;
const SPAWN_SETSID = 0x80;

/** NULL-terminated array of C strings; `keep` holds what it points to. */
function stringArray(texts: readonly string[]): {
  readonly array: BigUint64Array;
  readonly keep: Uint8Array[];
} {
  const keep = texts.map(cstr);
  return { array: new BigUint64Array([...keep.map((text) => BigInt(address(text))), 0n]), keep };
}

/**
 * posix_spawn(3) in a session of its own with no signal blocked. `fds` maps the child's descriptor numbers to
 * ours; all of ours must be close-on-exec and lie above the child's numbers. Returns the pid.
 */
export function spawn(
  path: string,
  argv: readonly string[],
  env: readonly string[],
  fds: ReadonlyMap<number, number>,
): number {
  const call = libc();
  // larger than the opaque structures of any C library
  const actions = new Uint8Array(256);
  const attributes = new Uint8Array(512);
  const pid = new Uint32Array(1);
  call.posix_spawn_file_actions_init(actions);
  for (const [theirs, ours] of fds) call.posix_spawn_file_actions_adddup2(actions, ours, theirs);
  call.posix_spawnattr_init(attributes);
  call.posix_spawnattr_setflags(attributes, SPAWN_SETSIGMASK | SPAWN_SETSID);
  call.posix_spawnattr_setsigmask(attributes, new Uint8Array(128));
  const args = stringArray(argv);
  const environment = stringArray(env);
  const result = call.posix_spawn(pid, cstr(path), actions, attributes, args.array, environment.array);
  if (result !== 0) throw new SysError("posix_spawn", path, result);
  return pid[0] ?? 0;
}

/** waitpid(2) for a child of ours; returns its wait status. Blocks. */
export function waitFor(pid: number): number {
  const status = new Uint32Array(1);
  check(libc().waitpid(pid, status, 0), "waitpid", String(pid));
  return status[0] ?? 0;
}

/** _exit(2): at once, with nothing of the JavaScript runtime's own clean-up. */
export function exitNow(code: number): never {
  libc()._exit(code);
  throw new Error("unreachable");
}

const signals = library({ prctl: "iillll" });

/** prctl(2) PR_SET_PDEATHSIG: SIGKILL when the parent ends. False where it has ended already. */
export function dieWithParent(parent: number): boolean {
  check(signals().prctl(1, 9, 0, 0, 0), "prctl", "PR_SET_PDEATHSIG");
  return process.ppid === parent;
}

/** geteuid(2). */
export function effectiveUser(): number {
  return libc().geteuid();
}

/** umask(2). */
export function setUmask(mask: number): void {
  libc().umask(mask);
}

/** pidfd_open(2), or undefined where there is no such process. */
export function openPidfd(pid: number): number | undefined {
  const fd = syscall(SYS.pidfd_open, pid, 0);
  try {
    return check(fd, "pidfd_open", String(pid));
  } catch (error) {
    if (isErrno(error, "ESRCH", "EINVAL")) return undefined;
    throw error;
  }
}

/** pidfd_send_signal(2); false where the process is gone. */
export function signalPidfd(pidfd: number, signal: number): boolean {
  try {
    check(syscall(SYS.pidfd_send_signal, pidfd, signal), "pidfd_send_signal", String(signal));
    return true;
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }
}

/**
 * The fields of /proc/PID/stat behind the command's name, which itself may hold blanks and parentheses: the first is the
 * third of proc(5), the state.
 */
export function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/**
 * The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), which with its pid names
 * it for good; undefined where it is gone or only waits to be reaped.
 */
export function startTime(pid: number): string | undefined {
  const stat = readTextIfAny(`/proc/${pid}/stat`);
  const fields = stat === undefined ? undefined : statFields(stat);
  const state = fields?.[0];
  return state === "Z" || state === "X" ? undefined : fields?.[19];
}

/** The arguments of this program, without its own name; bytes that are no UTF-8 are kept (text.ts), as JavaScript does not. */
export function ownArguments(): string[] {
  const decoded = process.argv.slice(2);
  if (!decoded.some((arg) => arg.includes("\ufffd"))) return decoded;
  const all = readBytes("/proc/self/cmdline");
  const args: string[] = [];
  for (let at = 0; at < all.length; ) {
    const end = all.indexOf(0, at);
    args.push(fromBytes(all.subarray(at, end)));
    at = end + 1;
  }
  return args.slice(1);
}

let boot: string | undefined;

/** This boot's id (proc(5), /proc/sys/kernel/random/boot_id). */
export function bootId(): string {
  boot ??= readText("/proc/sys/kernel/random/boot_id").trim();
  return boot;
}

const encoder = new TextEncoder();

/** write(2) of text to stdout (1) or stderr (2). A reader that is gone ends the program quietly, as SIGPIPE would. */
export function print(fd: 1 | 2, text: string): void {
  let rest = encoder.encode(text);
  while (rest.length > 0) {
    const done = libc().write(fd, rest, rest.length);
    try {
      rest = rest.subarray(check(done, "write", fd === 1 ? "stdout" : "stderr"));
    } catch (error) {
      if (isErrno(error, "EPIPE")) exitNow(141);
      if (!isErrno(error, "EINTR", "EAGAIN")) throw error;
      if (isErrno(error, "EAGAIN")) Bun.sleepSync(2);
    }
  }
}
