import { close, O, open, openAt } from "./file.ts";
import { check, library } from "./libc.ts";

const libc = library({ ioctl: "ilpi", isatty: "ii", tcgetattr: "ipi", tcsetattr: "iipi", cfmakeraw: "pi" });

const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCGPTN = 0x80045430;
/** tcsetattr(3): after the output that is still under way. */
const TCSADRAIN = 1;
const ECHO = 8;

/** isatty(3). */
export function isTerminal(fd: number): boolean {
  return libc().isatty(fd) === 1;
}

/** Puts a terminal into raw mode (termios(3), cfmakeraw) and returns what puts it back as it was. */
export function makeRaw(fd: number): () => void {
  const saved = new Uint8Array(128);
  check(libc().tcgetattr(fd, saved), "tcgetattr", `fd ${fd}`);
  const raw = saved.slice();
  libc().cfmakeraw(raw);
  check(libc().tcsetattr(fd, TCSADRAIN, raw), "tcsetattr", `fd ${fd}`);
  return () => {
    libc().tcsetattr(fd, TCSADRAIN, saved);
  };
}

/** Lets a terminal not show what is typed (termios(3), ECHO), for passwords; returns what puts it back as it was. */
export function withoutEcho(fd: number): () => void {
  const saved = new Uint8Array(128);
  check(libc().tcgetattr(fd, saved), "tcgetattr", `fd ${fd}`);
  const silent = saved.slice();
  const flags = new DataView(silent.buffer);
  // c_lflag is the fourth word
  flags.setUint32(12, flags.getUint32(12, true) & ~ECHO, true);
  check(libc().tcsetattr(fd, TCSADRAIN, silent), "tcsetattr", `fd ${fd}`);
  return () => {
    libc().tcsetattr(fd, TCSADRAIN, saved);
  };
}

/** Gives the terminal behind `to` the window size of the one behind `from` (ioctl_tty(2)); nothing where that has none. */
export function copyWindowSize(from: number, to: number): void {
  const size = new Uint8Array(8);
  if (libc().ioctl(from, TIOCGWINSZ, size) === 0) libc().ioctl(to, TIOCSWINSZ, size);
}

/** A new terminal of one devpts instance: both ends, and the number under which it shows there. */
export interface Pty {
  readonly master: number;
  readonly slave: number;
  readonly index: number;
}

/** Opens a terminal (pty(7)) in the devpts instance whose root `devpts` is open on. */
export function openPty(devpts: number): Pty {
  return fromMaster(openAt(devpts, "ptmx", O.RDWR | O.NOCTTY | O.NOFOLLOW));
}

/** The same by a path to the instance's ptmx. */
export function openPtyAt(path: string): Pty {
  return fromMaster(open(path, O.RDWR | O.NOCTTY));
}

function fromMaster(master: number): Pty {
  try {
    const number = new Uint32Array(1);
    check(libc().ioctl(master, TIOCSPTLCK, number), "ioctl", "TIOCSPTLCK");
    check(libc().ioctl(master, TIOCGPTN, number), "ioctl", "TIOCGPTN");
    const slave = check(
      libc().ioctl(master, TIOCGPTPEER, O.RDWR | O.NOCTTY | O.CLOEXEC),
      "ioctl",
      "TIOCGPTPEER",
    );
    return { master, slave, index: number[0] ?? 0 };
  } catch (error) {
    close(master);
    throw error;
  }
}

/** The window of the terminal behind `fd` (ioctl_tty(2), TIOCGWINSZ); undefined where it has none, or does not know it. */
export function windowSize(fd: number): { readonly columns: number; readonly rows: number } | undefined {
  const size = new Uint16Array(4);
  if (libc().ioctl(fd, TIOCGWINSZ, new Uint8Array(size.buffer)) !== 0) return undefined;
  const [rows = 0, columns = 0] = size;
  return rows === 0 || columns === 0 ? undefined : { columns, rows };
}
