import { errnoName } from "./errno.ts";
import { close } from "./file.ts";
import { address, check, errno, library, SYS, syscall } from "./libc.ts";

const libc = library({
  socketpair: "iiipi",
  socket: "iiii",
  ioctl: "ilpi",
  send: "iplil",
  recv: "iplil",
  poll: "plii",
});

const AF_UNIX = 1;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** socketpair(2): two connected ends that keep the borders of messages. */
export function messagePair(): [number, number] {
  const ends = new Uint32Array(2);
  check(libc().socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  return [ends[0] ?? 0, ends[1] ?? 0];
}

/** send(2); false where the other end is gone. */
export function send(fd: number, message: Uint8Array): boolean {
  const sent = libc().send(fd, message, message.length, MSG_NOSIGNAL);
  if (sent < 0 && ["EPIPE", "ECONNRESET"].includes(errnoName(errno()))) return false;
  check(sent, "send", `fd ${fd}`);
  return true;
}

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;

const MSG_CMSG_CLOEXEC = 0x40000000;

/** struct cmsghdr with room for so many descriptors: its length (8 bytes), level, type; then the descriptors. */
function controlOf(fds: readonly number[]): Uint32Array {
  const control = new Uint32Array(4 + fds.length + (fds.length % 2));
  control.set([16 + 4 * fds.length, 0, SOL_SOCKET, SCM_RIGHTS, ...fds]);
  return control;
}

/** struct msghdr: no name; one iovec; the control data; no flags. All of it must be held on to until the call. */
function headerOf(iovec: BigUint64Array, control: Uint32Array): BigUint64Array {
  const data = [BigInt(address(control)), BigInt(control.byteLength)];
  return new BigUint64Array([0n, 0n, BigInt(address(iovec)), 1n, ...data, 0n]);
}

/** sendmsg(2) with descriptors, which the receiver gets copies of (unix(7), "SCM_RIGHTS"); false where the other end is gone. */
export function sendWithFds(fd: number, message: Uint8Array, fds: readonly number[]): boolean {
  const control = controlOf(fds);
  const iovec = new BigUint64Array([BigInt(address(message)), BigInt(message.length)]);
  const sent = syscall(SYS.sendmsg, fd, headerOf(iovec, control), MSG_NOSIGNAL);
  if (sent < 0 && ["EPIPE", "ECONNRESET"].includes(errnoName(errno()))) return false;
  check(sent, "sendmsg", `fd ${fd}`);
  return true;
}

/**
 * recvmsg(2) of a message with exactly `count` descriptors, which are the caller's to close (they are not inherited); waits for
 * it. Undefined where the other end is closed.
 */
export function receiveFds(fd: number, count: number): number[] | undefined {
  const control = controlOf(Array.from({ length: count }, () => -1));
  const message = new Uint8Array(1);
  const iovec = new BigUint64Array([BigInt(address(message)), BigInt(message.length)]);
  for (;;) {
    const header = headerOf(iovec, control);
    const got = syscall(SYS.recvmsg, fd, header, MSG_CMSG_CLOEXEC);
    if (got === 0) return undefined;
    const code = got < 0 ? errnoName(errno()) : "";
    if (code === "ECONNRESET") return undefined;
    if (code === "EINTR") continue;
    check(got, "recvmsg", `fd ${fd}`);
    return [...control.subarray(4, 4 + count)];
  }
}

/** recv(2); the number of bytes, 0 where the other end is closed, undefined where `wait` is false and there is none. */
export function receive(fd: number, buffer: Uint8Array, wait: boolean): number | undefined {
  for (;;) {
    const got = libc().recv(fd, buffer, buffer.length, wait ? 0 : MSG_DONTWAIT);
    if (got >= 0) return got;
    const code = errnoName(errno());
    if (code === "ECONNRESET") return 0;
    if (code === "EAGAIN" && !wait) return undefined;
    if (code !== "EINTR") check(got, "recv", `fd ${fd}`);
  }
}

/** poll(2) for input on one descriptor; false where `timeout` milliseconds (-1: none) passed or a signal came. */
export function readable(fd: number, timeout: number): boolean {
  const entry = new Uint32Array([fd, 1]);
  return libc().poll(entry, 1, timeout) > 0;
}

/** Brings the loopback interface of the calling thread's network namespace up (netdevice(7)). */
export function loopbackUp(): void {
  const fd = check(libc().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  const request = new Uint8Array(40);
  request.set([0x6c, 0x6f]);
  request[16] = IFF_UP;
  try {
    check(libc().ioctl(fd, SIOCSIFFLAGS, request), "ioctl", "SIOCSIFFLAGS lo");
  } finally {
    close(fd);
  }
}
