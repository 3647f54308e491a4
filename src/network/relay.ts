import { mkdirIfMissing, writeFileAtomic } from "../linux/file.ts";
import { parseAddress } from "./address.ts";
import type { Attachment } from "./attachment.ts";
import type { NetworkPaths } from "./record.ts";

/** From there the kernel sends nothing on: the proxy of the container takes its place (csrc/proxy.c). */
export const LOOPBACK6 = "::1";

/** Where the proxy of a container with ports finds it, for it to read at each use. */
export function writeRelay(paths: NetworkPaths, attachment: Attachment): void {
  if (attachment.ports.length === 0) return;
  mkdirIfMissing(paths.relays, 0o700);
  writeFileAtomic(paths.relay(attachment.container), relayTarget(attachment), false);
}

/**
 * The address that a container is reached at from ::1, as the shim reads it: by IPv6 where it has a port there, else by IPv4,
 * and by what there is where it has left the one network for the other; empty where no port leads to it.
 */
export function relayTarget({ endpoints, ports }: Attachment): string {
  const open = endpoints.filter(({ internal }) => !internal);
  const all = open.flatMap(({ addresses }) =>
    addresses.flatMap(({ address }) => parseAddress(address) ?? []),
  );
  const four = all.find(({ length }) => length === 4);
  const six = all.find(({ length }) => length === 16);
  const mapped = four && Uint8Array.of(...MAPPED, ...four);
  const by6 = ports.some(({ hostAddress }) => hostAddress.includes(":"));
  return ((by6 ? (six ?? mapped) : (mapped ?? six)) ?? new Uint8Array(0)).toHex();
}

/** ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
