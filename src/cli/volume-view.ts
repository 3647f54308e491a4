import { NIL_MAP } from "../container/nil.ts";
import type { VolumePaths, VolumeRecord } from "../volume/record.ts";

/** A volume as `docker volume inspect` shows it. */
export function inspectVolume(paths: VolumePaths, { name, created, labels }: VolumeRecord): object {
  return {
    CreatedAt: created.replace(/\.[0-9]+Z$/, "Z"),
    Driver: "local",
    Labels: Object.keys(labels).length > 0 ? labels : NIL_MAP,
    Mountpoint: paths.data(name),
    Name: name,
    Options: NIL_MAP,
    Scope: "local",
  };
}
