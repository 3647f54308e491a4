import { errnoName, errnoWords } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, dupFrom, memfd, O, open, sealAll, writeAll } from "../linux/file.ts";
import { cloneTree, fdPath, MOUNT_ATTR, setMountAttributes } from "../linux/mount.ts";
import { spawn, waitFor } from "../linux/process.ts";
import { messagePair, receive, send } from "../linux/socket.ts";
import { encodeOrders, type Orders } from "./orders.ts";
import { FD, FLAG, MESSAGE, ORDERS_MAGIC, ROLE, STAGES, type Stage } from "./wire.ts";

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

/** The descriptors of ours that a shim process gets beside its sockets and orders, by their FD names. */
export type ShimFds = Partial<
  Record<Exclude<keyof typeof FD, "control" | "orders" | "channel" | "preload">, number>
>;

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
 * A process of our own executable in which only the shim runs, never JavaScript: the monitor of a container,
 * or what enters one. It waits for its orders, so it can be started before they are known.
 */
export class ShimProcess {
  private constructor(
    readonly pid: number,
    readonly control: number,
    readonly channel: number,
    private readonly orders: number,
  ) {}

  /** Starts the process, which begins at once. Unless it is attached it has /dev/null for our stdin, stdout and stderr. */
  static start(begin: Begin, fds: ShimFds): ShimProcess {
    const preload = above(shimLibrary());
    const [control, theirControl] = messagePair();
    const [channel, theirChannel] = messagePair();
    const orders = above(memfd("mydocker-orders", false));
    const nothing = above(open("/dev/null", O.RDWR));
    const given = new Map<number, number>([
      [FD.control, above(theirControl)],
      [FD.orders, orders],
      [FD.channel, above(theirChannel)],
      [FD.preload, preload],
    ]);
    // a number that is not used must not be left to what our own caller had open there
    for (const name of ["subject", "log", "ptyMaster", "ptySlave", "cgroup", "state"] as const)
      given.set(FD[name], fds[name] === undefined ? nothing : above(dupFrom(fds[name], ABOVE)));
    if ((begin.flags & FLAG.attached) === 0) for (const fd of [0, 1, 2]) given.set(fd, nothing);
    const environment = [`LD_PRELOAD=/proc/self/fd/${FD.preload}`];
    const program = above(ownExecutable());
    const pid = spawn(fdPath(program), ["mydocker"], environment, given);
    close(program);
    for (const fd of new Set(given.values())) if (fd !== orders) close(fd);
    const process = new ShimProcess(pid, control, channel, orders);
    process.tell(control, MESSAGE.begin, ROLE[begin.role], begin.flags, begin.cloneFlags);
    return process;
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
    return send(socket, new Uint8Array(new Int32Array([kind, a, b, c]).buffer));
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

  /** Waits for the process to be gone. */
  reap(): void {
    close(this.control);
    waitFor(this.pid);
  }
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
