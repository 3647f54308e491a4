import { errnoName, errnoWords } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, dupFrom, memfd, O, open, sealAll, writeAll } from "../linux/file.ts";
import { cloneTree, fdPath, MOUNT_ATTR, setMountAttributes } from "../linux/mount.ts";
import { spawn, waitFor } from "../linux/process.ts";
import { messagePair, receive, send, sendWithFds } from "../linux/socket.ts";
import { encodeOrders, type Orders } from "./orders.ts";
import { FD, MESSAGE, ORDERS_MAGIC, ROLE, STAGES, type Stage } from "./wire.ts";

/** The compiled csrc/, base64, put in by build.ts. */
declare const SHIM_BASE64: string | undefined;

/** Above every number that a shim process is given, so that spawning never overwrites what it has yet to copy. */
const ABOVE = 64;

/** A step of the shim that failed: which, and the errno. */
export class ShimError extends EngineError {
  constructor(
    readonly stage: Stage,
    readonly errno: number,
  ) {
    super(`cannot ${STAGES[stage]}: ${errnoWords(errnoName(errno))}`);
  }
}

/** The descriptors of ours that a shim process gets with BEGIN, by their FD names. */
export type ShimFds = Partial<Record<(typeof GIVEN)[number], number>>;

/** In the order that csrc/shim.c expects them in. */
const GIVEN = [
  "subject",
  "log",
  "state",
  "cgroup",
  "ptyMaster",
  "ptySlave",
  "netns",
  "ipcns",
  "pidns",
] as const;

/** As many descriptors as go with one message (csrc/shim.h). */
const MOST_FDS = 12;

/** What a shim process is told before its orders. */
export interface Begin {
  readonly role: keyof typeof ROLE;
  /** Bits of FLAG. */
  readonly flags: number;
  /** The namespaces to make, or to enter. */
  readonly cloneFlags: number;
}

/** One message as it was received. */
interface Message {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/**
 * A process of our own executable in which only the shim runs, never JavaScript: the monitor of a container, or what enters
 * one. It takes milliseconds to be there and waits for BEGIN then, so it is started before anything else is done.
 */
export class ShimProcess {
  private reaped = false;

  private constructor(
    readonly pid: number,
    readonly control: number,
    readonly channel: number,
    private readonly orders: number,
  ) {}

  /** Starts the process, with our own stdin, stdout and stderr. */
  static spawn(): ShimProcess {
    const shim = above(shimLibrary());
    const [control, theirControl] = messagePair();
    const [channel, theirChannel] = messagePair();
    const orders = above(memfd("mydocker-orders", false));
    const given = new Map<number, number>([
      [FD.control, above(theirControl)],
      [FD.orders, orders],
      [FD.channel, above(theirChannel)],
      [FD.library, shim],
    ]);
    const library = `/proc/self/fd/${FD.library}`;
    // glibc starts an auditor before it has mapped and relocated the program and its libraries; musl knows preloading only
    const environment = [`LD_AUDIT=${library}`, `LD_PRELOAD=${library}`];
    const program = above(ownExecutable());
    const pid = spawn(fdPath(program), ["mydocker"], environment, given);
    close(program);
    for (const fd of given.values()) if (fd !== orders) close(fd);
    return new ShimProcess(pid, control, channel, orders);
  }

  /** Says what it is. Unless it is attached it has /dev/null then for our stdin, stdout and stderr. */
  begin({ role, flags, cloneFlags }: Begin, fds: ShimFds): void {
    const list: number[] = [];
    for (const name of GIVEN) if (fds[name] !== undefined) list.push(fds[name]);
    sendWithFds(this.control, encode(MESSAGE.begin, ROLE[role], flags, cloneFlags), list);
  }

  /** Gives a monitor descriptors to keep open for as long as it lives. */
  hold(fds: readonly number[]): void {
    for (let at = 0; at < fds.length; at += MOST_FDS)
      sendWithFds(this.control, encode(MESSAGE.hold, 0, 0, 0), fds.slice(at, at + MOST_FDS));
  }

  /** The same with a socket, by its type, whose clients are to get to a port of the container's. */
  relay(fd: number, port: number, type: number): void {
    sendWithFds(this.control, encode(MESSAGE.hold, port, type, 0), [fd]);
  }

  /** Gives it, and a monitor's init, the orders. */
  launch(orders: Orders, toInit: boolean): void {
    writeAll(this.orders, encodeOrders({ ...orders, magic: BigInt(ORDERS_MAGIC) }));
    close(this.orders);
    if (toInit) this.tell(this.channel, MESSAGE.launch);
    this.tell(this.control, MESSAGE.launch);
  }

  /** Sends a message of one kind and up to three values; false where the process is gone. */
  tell(socket: number, kind: number, a = 0, b = 0, c = 0): boolean {
    return send(socket, encode(kind, a, b, c));
  }

  /** Waits for a message of `kind` on a socket; throws what FAILED says, or that the process ended before. */
  expect(socket: number, kind: number): Message {
    const message = receiveMessage(socket, true);
    if (message?.kind === kind) return message;
    throw this.failure(message);
  }

  /** Waits until the program was executed, which closes the channel; throws why it was not. */
  expectExecuted(): void {
    this.expect(this.channel, MESSAGE.execing);
    const message = receiveMessage(this.channel, true);
    close(this.channel);
    if (message !== undefined) throw this.failure(message);
  }

  /** What became of a step that did not answer as expected. */
  private failure(message: Message | undefined): Error {
    if (message?.kind === MESSAGE.failed) {
      const stage = Object.keys(STAGES)[message.a] as Stage | undefined;
      return new ShimError(stage ?? "none", message.b);
    }
    // the reason of an early end may have gone over the other socket
    const other = receiveMessage(this.control, false) ?? receiveMessage(this.channel, false);
    if (other?.kind === MESSAGE.failed) return this.failure(other);
    return new EngineError(
      "the process ended before the program was started (killed from outside, or out of memory)",
    );
  }

  /** Lets go of the process, which ends then if it has not begun yet, and waits for it to be gone. */
  reap(): void {
    if (this.reaped) return;
    this.reaped = true;
    close(this.control);
    waitFor(this.pid);
  }
}

/** Starts a shim process for `use`; where that throws, it is gone. */
export function withShim<T>(use: (shim: ShimProcess) => T): T {
  const shim = ShimProcess.spawn();
  try {
    return use(shim);
  } catch (error) {
    shim.reap();
    throw error;
  }
}

function encode(kind: number, a: number, b: number, c: number): Uint8Array {
  return new Uint8Array(new Int32Array([kind, a, b, c]).buffer);
}

/** One message, or undefined where the other end is closed (or, without `wait`, nothing has come). */
export function receiveMessage(socket: number, wait: boolean): Message | undefined {
  const words = new Int32Array(4);
  const got = receive(socket, new Uint8Array(words.buffer), wait);
  if (got === undefined || got === 0) return undefined;
  return { kind: words[0] ?? 0, a: words[1] ?? 0, b: words[2] ?? 0, c: words[3] ?? 0 };
}

/** `fd` under a higher number; the old number is closed. */
function above(fd: number): number {
  if (fd >= ABOVE) return fd;
  const higher = dupFrom(fd, ABOVE);
  close(fd);
  return higher;
}

/**
 * Our own executable, on a read-only mount that is nowhere: a container can reach what its first process was started from
 * (`/proc/self/exe`, before and without its own program), and must not change the host's file (CVE-2019-5736).
 */
function ownExecutable(): number {
  const file = open("/proc/self/exe", O.PATH);
  try {
    const tree = cloneTree(file, false);
    setMountAttributes(tree, MOUNT_ATTR.RDONLY, 0, false);
    return tree;
  } finally {
    close(file);
  }
}

/** The embedded shim in a sealed memfd: nobody can change it between here and the loader. */
function shimLibrary(): number {
  if (typeof SHIM_BASE64 !== "string") throw new EngineError("the shim is only in the built executable");
  const fd = memfd("mydocker-shim", true);
  writeAll(fd, Uint8Array.fromBase64(SHIM_BASE64));
  sealAll(fd);
  return fd;
}
