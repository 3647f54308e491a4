import { SysError } from "./errno.ts";
import { close } from "./file.ts";
import { check, library } from "./libc.ts";

const libc = library({ socket: "iiii", bind: "ipii", listen: "iii", shutdown: "iii", setsockopt: "iiipli" });

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SHUT_RDWR = 2;
/** As many as the kernel lets (somaxconn). */
const MOST_WAITING = 65535;

/** socket(2): what a socket of a transport is. */
export const SOCKET_TYPE = { tcp: SOCK_STREAM, udp: SOCK_DGRAM, sctp: SOCK_STREAM } as const;

/**
 * Takes a port of the host's, so that nobody else can serve there: a socket that is bound to it, in the calling thread's
 * network namespace, and takes nothing itself, unless it `serves`. Undefined where the kernel has no such transport (SCTP).
 * Throws EADDRINUSE, EADDRNOTAVAIL, EACCES, and EAFNOSUPPORT where there is no IPv6.
 */
export function holdPort(
  protocol: keyof typeof PROTOCOLS,
  address: Uint8Array,
  port: number,
  serves = false,
): number | undefined {
  const family = address.length === 4 ? AF_INET : AF_INET6;
  const type = SOCKET_TYPE[protocol];
  let fd: number;
  try {
    fd = check(libc().socket(family, type | SOCK_CLOEXEC, PROTOCOLS[protocol]), "socket", protocol);
  } catch (error) {
    if (protocol === "sctp" && error instanceof SysError) return undefined;
    throw error;
  }
  try {
    const set = (level: number, option: number, value: number): void => {
      libc().setsockopt(fd, level, option, new Uint32Array([value]), 4);
    };
    if (family === AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (protocol === "udp" && !serves) set(SOL_SOCKET, SO_RCVBUF, 0);
    // as every server does: what is left of old connections is in nobody's way
    if (protocol !== "udp") set(SOL_SOCKET, SO_REUSEADDR, 1);
    const name = socketAddress(family, address, port);
    check(libc().bind(fd, name, name.length), "bind", `port ${port}`);
    if (protocol !== "udp" && serves) check(libc().listen(fd, MOST_WAITING), "listen", `port ${port}`);
    else if (protocol !== "udp") {
      // only who listens finds out whether another one does; bound it stays, and the other one cannot listen either then
      check(libc().listen(fd, 0), "listen", `port ${port}`);
      // first this, and only then the other: whoever is as ready to share as we were could listen in between
      set(SOL_SOCKET, SO_REUSEADDR, 0);
      libc().shutdown(fd, SHUT_RDWR);
    }
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(family: number, address: Uint8Array, port: number): Uint8Array {
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28);
  bytes.set([family, 0, port >> 8, port & 0xff]);
  bytes.set(address, family === AF_INET ? 4 : 8);
  return bytes;
}
