import type { Mount } from "../runtime/spec.ts";
import type { Tmpfs } from "./mount-wish.ts";
import type { ContainerRecord, Volume } from "./record.ts";

type Mounted = Pick<ContainerRecord, "volumes" | "tmpfs">;

/** Where the user's own mounts are. */
export function placesOf({ volumes, tmpfs = [] }: Mounted): Set<string> {
  return new Set([...volumes, ...tmpfs].map(({ destination }) => destination));
}

/** The user's own mounts, parents before children, whatever the order of the flags. */
export function userMounts({ volumes, tmpfs = [] }: Mounted): Mount[] {
  const depth = ({ destination }: Mount): number => destination.split("/").length;
  return [...volumes.map(bindOf), ...tmpfs.map(tmpfsOf)].sort((a, b) => depth(a) - depth(b));
}

function tmpfsOf({ destination, options }: Tmpfs): Mount {
  return { destination, type: "tmpfs", source: "tmpfs", options };
}

function bindOf({ source, destination, readOnly, propagation, below, subpath }: Volume): Mount {
  // as Docker from 25: what is mounted below is read-only too
  const access = readOnly ? (below === undefined ? "rro" : "ro") : "rw";
  return {
    destination,
    type: "bind",
    source,
    options: [below === "none" ? "bind" : "rbind", propagation ?? "rprivate", access],
    ...(subpath !== undefined && { subpath }),
  };
}
