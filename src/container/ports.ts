import type { Attachment, BoundPort } from "../network/attachment.ts";

/** The ports of a container that is connected so, by its own: `80/tcp` and what leads to it. */
export function portsOf(attachment: Attachment | undefined): ReadonlyMap<string, readonly BoundPort[]> {
  const found = new Map<string, BoundPort[]>();
  for (const port of attachment?.ports ?? []) {
    const key = `${port.port}/${port.protocol}`;
    found.set(key, [...(found.get(key) ?? []), port]);
  }
  return found;
}

/** `0.0.0.0:8080`, `[::]:8080`. */
export function hostSide({ hostAddress, hostPort }: BoundPort): string {
  return hostAddress.includes(":") ? `[${hostAddress}]:${hostPort}` : `${hostAddress}:${hostPort}`;
}
