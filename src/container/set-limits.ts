import { undone } from "../linux/errors.ts";
import { cgroupLayout } from "../runtime/cgroup/layout.ts";
import { updateGroup } from "../runtime/cgroup/update.ts";
import { groupOf } from "./group.ts";
import type { Paths } from "./paths.ts";
import { type Container, type Limits, writeContainer } from "./record.ts";
import { resourcesOf } from "./resources.ts";

/** Writes other limits down for a container, and where it runs gives them to its group; all as before where that fails. */
export function setLimits(paths: Paths, present: Container, limits: Limits, running: boolean): void {
  const { record, spec } = present;
  const { devices, blockIO } = spec.linux.resources;
  const changed = resourcesOf(changeable(limits));
  const resources = {
    ...changed,
    ...(devices && { devices }),
    ...((blockIO ?? changed.blockIO) && { blockIO: { ...blockIO, ...changed.blockIO } }),
  };
  writeContainer(paths, {
    record: { ...record, limits },
    spec: { ...spec, linux: { ...spec.linux, resources } },
  });
  if (!running) return;
  try {
    updateGroup(cgroupLayout(), groupOf(paths, record.id).cgroupsPath, spec.linux.resources, changed);
  } catch (error) {
    throw undone(error, () => writeContainer(paths, present));
  }
}

/** Limits without what devices of the host are looked up for: that is done at each start, and stays until the next. */
function changeable(limits: Limits): Limits {
  const { devices, deviceRules, blkioWeightDevice, ...others } = limits;
  const { deviceReadBps, deviceWriteBps, deviceReadIops, deviceWriteIops, ...rest } = others;
  return rest;
}
