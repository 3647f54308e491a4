import type { BoundPort } from "../network/attachment.ts";
import { attachmentOf } from "./network.ts";
import type { Paths } from "./paths.ts";

/** The ports of a container that runs, by its own: `80/tcp` and what leads to it. */
export function portsOf(paths: Paths, id: string): ReadonlyMap<string, readonly BoundPort[]> {
  const found = new Map<string, BoundPort[]>();
  for (const port of attachmentOf(paths, id)?.ports ?? []) {
    const key = `${port.port}/${port.protocol}`;
    found.set(key, [...(found.get(key) ?? []), port]);
  }
  return found;
}

/** `0.0.0.0:8080`, `[::]:8080`. */
export function hostSide({ hostAddress, hostPort }: BoundPort): string {
  return hostAddress.includes(":") ? `[${hostAddress}]:${hostPort}` : `${hostAddress}:${hostPort}`;
}
