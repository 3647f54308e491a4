import { NIL_LIST } from "./nil.ts";
import type { ContainerRecord, Volume } from "./record.ts";

/** The mounts of a container as `docker inspect` lists them. */
export function inspectMounts(record: ContainerRecord): object[] {
  const memory = (record.tmpfs ?? [])
    .filter(({ shown }) => shown)
    .map(({ destination, options }) => ({
      Type: "tmpfs",
      Source: "",
      Destination: destination,
      Mode: "",
      RW: !options.includes("ro"),
      Propagation: "",
    }));
  return [...record.volumes.map((volume) => inspectVolume(record, volume)), ...memory];
}

function inspectVolume({ id }: ContainerRecord, volume: Volume): object {
  const { source, destination, readOnly, anonymous, name } = volume;
  // one of an older record was a folder of the container's own
  const known = name ?? (anonymous && `${id}-${source.slice(source.lastIndexOf("/") + 1)}`);
  return {
    Type: known === undefined ? "bind" : "volume",
    ...(known !== undefined && { Name: known }),
    Source: source,
    Destination: destination,
    ...(known !== undefined && { Driver: "local" }),
    Mode: volume.mode ?? modeOf(volume),
    RW: !readOnly,
    Propagation: known === undefined ? (volume.propagation ?? "rprivate") : "",
  };
}

/** Docker gives a volume that was named the mode `z`, whether it labels or not. */
function modeOf({ name, anonymous, readOnly, mustExist }: Volume): string {
  if (name !== undefined) return anonymous ? "" : "z";
  return readOnly && !mustExist ? "ro" : "";
}

/** What of HostConfig is about mounts. */
export function inspectMountWishes(record: ContainerRecord): object {
  const { mounts, volumes, readOnly } = record;
  const binds = mounts?.binds ?? (mounts ? [] : volumes.filter(({ anonymous }) => !anonymous).map(bindText));
  return {
    Binds: binds.length > 0 ? binds : NIL_LIST,
    ...(mounts?.mounts && { Mounts: mounts.mounts }),
    ...(mounts?.tmpfs && { Tmpfs: mounts.tmpfs }),
    ReadonlyRootfs: readOnly ?? false,
    VolumesFrom: mounts?.volumesFrom ?? NIL_LIST,
    VolumeDriver: "",
  };
}

function bindText({ source, destination, readOnly }: Volume): string {
  return `${source}:${destination}${readOnly ? ":ro" : ""}`;
}
