import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, readTextIfAny } from "../linux/file.ts";
import { holdPort } from "../linux/portsocket.ts";
import { parseAddress } from "./address.ts";
import { addressOf, type BoundPort, type Endpoint } from "./attachment.ts";
import type { Ready } from "./ready.ts";
import { LOOPBACK6 } from "./relay.ts";
import type { PortWish, Protocol } from "./wish.ts";

/** A socket that keeps a port of the host's; with `relay` its clients are taken to that port of the container's. */
export interface HeldPort {
  readonly fd: number;
  readonly relay?: { readonly protocol: Protocol; readonly port: number };
}

/** Where a socket is to be bound for a wish. */
interface Place {
  readonly address: string;
  /** It is one of those that the user is told of. */
  readonly shown: boolean;
}

const ANY4 = "0.0.0.0";
const ANY6 = "::";

/** Takes the host's ports; `sockets` gets what holds them. */
export function bindPorts(
  wishes: readonly PortWish[],
  endpoints: readonly Endpoint[],
  { firewall }: Pick<Ready, "firewall">,
  sockets: HeldPort[],
): BoundPort[] {
  if (wishes.length === 0) return [];
  if (!firewall)
    throw new EngineError("cannot publish ports: this kernel has no nf_tables: use --network host");
  // as Docker: one that is in networks without a way out only has nothing to be reached by
  const outside = endpoints.filter(({ internal }) => !internal);
  if (outside.length === 0) return [];
  const has = {
    4: outside.some((endpoint) => addressOf(endpoint, 4)),
    6: outside.some((endpoint) => addressOf(endpoint, 6)),
  };
  return wishes.flatMap((wish) => bindPort(wish, placesOf(wish, has), sockets));
}

/** The host's addresses that a wish is about. */
function placesOf({ hostAddress, port, protocol }: PortWish, has: Record<4 | 6, boolean>): Place[] {
  const shown = (address: string): Place => ({ address, shown: true });
  if (hostAddress === LOOPBACK6) {
    if (protocol === "sctp")
      throw new EngineError(
        `cannot publish port ${port} on [::1]: there is no SCTP from there: use 127.0.0.1, or an address that others reach`,
      );
    return [shown(LOOPBACK6)];
  }
  if (hostAddress === "") {
    // :: has ::1 in it
    const loopback = has[6] || protocol === "sctp" ? [] : [{ address: LOOPBACK6, shown: false }];
    return [...(has[4] ? [shown(ANY4)] : []), ...(has[6] ? [shown(ANY6)] : []), ...loopback];
  }
  if (hostAddress.includes(":") && !has[6])
    throw new EngineError(
      `cannot publish port ${port} on [${hostAddress}]: the container has no address of IPv6: use a network made with --ipv6`,
    );
  return [shown(hostAddress)];
}

/** The port of `wish` at each place: the same number at all of them. */
function bindPort(wish: PortWish, places: readonly Place[], sockets: HeldPort[]): BoundPort[] {
  const { protocol, port } = wish;
  const [first, last] = wish.hostPort === 0 ? ephemeralRange() : [wish.hostPort, wish.hostPortEnd];
  for (let hostPort = first; hostPort <= last; hostPort++) {
    const held: HeldPort[] = [];
    let at = "";
    try {
      for (const place of places) {
        at = place.address;
        const one = holdPlace(wish, place, hostPort);
        if (one) held.push(one);
      }
      sockets.push(...held);
      const shown = places.filter((place) => place.shown);
      return shown.map(({ address: hostAddress }) => ({ protocol, hostAddress, hostPort, port }));
    } catch (error) {
      for (const { fd } of held) close(fd);
      if (isErrno(error, "EADDRINUSE") && hostPort < last) continue;
      throw explainPort(error, wish, at, hostPort);
    }
  }
  throw explainPort(undefined, wish, wish.hostAddress, first);
}

/** What the kernel sends on by itself is only held; what comes to ::1 is served. Undefined where there is nothing to hold. */
function holdPlace(
  { protocol, port }: PortWish,
  { address, shown }: Place,
  hostPort: number,
): HeldPort | undefined {
  const serves = protocol !== "sctp" && (address === LOOPBACK6 || address === ANY6);
  try {
    const fd = holdPort(protocol, parseAddress(address) ?? new Uint8Array(4), hostPort, serves);
    return fd === undefined ? undefined : { fd, ...(serves && { relay: { protocol, port } }) };
  } catch (error) {
    // a host without IPv6
    if (!shown && isErrno(error, "EADDRNOTAVAIL", "EAFNOSUPPORT")) return undefined;
    throw error;
  }
}

function explainPort(
  error: unknown,
  { protocol, hostPort, hostPortEnd }: PortWish,
  address: string,
  port: number,
): unknown {
  const where = `${address.includes(":") ? `[${address}]` : address}:${port}`;
  if (hostPort !== hostPortEnd || hostPort === 0)
    if (error === undefined || isErrno(error, "EADDRINUSE"))
      return new EngineError(
        `cannot publish a port: all ports are allocated of ${hostPort}-${hostPortEnd}/${protocol}`,
      );
  if (isErrno(error, "EADDRINUSE"))
    return new EngineError(
      `Bind for ${where} failed: port is already allocated (${protocol}, address already in use): stop what uses it, or publish another port`,
    );
  if (isErrno(error, "EADDRNOTAVAIL", "EAFNOSUPPORT"))
    return new EngineError(
      `cannot publish on ${where}: this host has no such address (cannot assign requested address)`,
    );
  if (isErrno(error, "EMFILE"))
    return new EngineError(
      `cannot publish on ${where}: a container's ports need one or two open files each, and this shell's limit is reached ('ulimit -n')`,
    );
  return error;
}

/** ip(7), ip_local_port_range. */
function ephemeralRange(): [number, number] {
  const [first, last] = (readTextIfAny("/proc/sys/net/ipv4/ip_local_port_range") ?? "")
    .split(/\s+/)
    .map(Number);
  return first && last ? [first, last] : [32768, 60999];
}
