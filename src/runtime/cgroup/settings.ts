import { isErrno } from "../../linux/errno.ts";
import { EngineError } from "../../linux/errors.ts";
import { writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { parentOf } from "./folders.ts";
import type { CgroupLayout } from "./layout.ts";
import { nameInV2, type Setting, settingsV1, settingsV2 } from "./limits.ts";

/** What one asks for with a flag of ours, for the message when the host cannot enforce it. */
const FLAG_OF: Record<string, string> = {
  memory: "memory limits",
  cpu: "CPU limits and shares",
  cpuset: "--cpuset-cpus and --cpuset-mems",
  pids: "--pids-limit",
  blkio: "rates of devices",
  io: "rates of devices",
};

/**
 * What is to be written in the v2 tree, whose controllers are `controllers`. On a pure v2 host that is all, and what
 * needs another controller is an error.
 */
export function unifiedSettings(
  { version }: CgroupLayout,
  resources: Resources,
  controllers: readonly string[],
): Setting[] {
  const has = (name: string): boolean => controllers.includes(name);
  const settings = settingsV2(version === 2 ? resources : partFor(resources, has));
  if (version === 2) requireControllers(settings, controllers);
  return settings.filter(({ controller }) => has(controller));
}

/** What is to be written in the v1 hierarchies; `elsewhere` are the controllers that are used in the v2 tree. */
export function hierarchySettings(
  { hierarchies }: CgroupLayout,
  resources: Resources,
  elsewhere: readonly string[],
): Setting[] {
  const here = (name: string): boolean => !elsewhere.includes(name);
  const settings = settingsV1(partFor(resources, here)).filter(({ controller }) =>
    here(nameInV2(controller)),
  );
  requireControllers(
    settings,
    hierarchies.flatMap(({ controllers }) => controllers),
  );
  return settings;
}

/** The part of the resources that these controllers (by their v2 names) are for. */
function partFor({ memory, cpu, pids, blockIO }: Resources, has: (name: string) => boolean): Resources {
  return {
    ...(memory && has("memory") && { memory }),
    ...(cpu && has("cpu") && { cpu }),
    ...(cpu && !has("cpu") && has("cpuset") && { cpu: cpusetOnly(cpu) }),
    ...(pids && has("pids") && { pids }),
    ...(blockIO && has("io") && { blockIO }),
  };
}

function cpusetOnly({ cpus, mems }: NonNullable<Resources["cpu"]>): NonNullable<Resources["cpu"]> {
  return { ...(cpus !== undefined && { cpus }), ...(mems !== undefined && { mems }) };
}

function requireControllers(settings: readonly Setting[], present: readonly string[]): void {
  const missing = settings.find(
    (setting) => !present.includes(setting.controller) && !setting.optional,
  )?.controller;
  if (missing === undefined) return;
  throw new EngineError(
    `cannot set ${FLAG_OF[missing] ?? missing}: this host has no ${missing} cgroup controller`,
  );
}

/** Writes a setting to a group's file. A limit that nobody asked for is left out where the kernel has none such. */
export function applySetting(folder: string, setting: Setting): void {
  try {
    writeInto(`${folder}/${setting.file}`, setting.value);
  } catch (error) {
    const isMissing = isErrno(error, "ENOENT");
    if (setting.optional && (isMissing || isErrno(error, "EOPNOTSUPP"))) return;
    if (isMissing && setting.orElse) {
      const { orElse, ...rest } = setting;
      return applySetting(folder, { ...rest, ...orElse });
    }
    if (isMissing)
      throw new EngineError(`cannot set ${setting.file}: this kernel has no such limit; leave it out`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(
      `cannot set ${setting.file} to ${setting.value}: ${reason}${remark(folder, setting, error)}`,
      undefined,
      { cause: error },
    );
  }
}

/** What an errno means for some files. */
function remark(folder: string, { file }: Setting, error: unknown): string {
  if (file === "cpu.rt_runtime_us")
    return ` (the group above it has too little: raise ${parentOf(folder)}/${file})`;
  if (file.includes(".weight") && isErrno(error, "EOPNOTSUPP"))
    return " (the scheduler of this disk has no weights: bfq has)";
  if (file.startsWith("memory.") && isErrno(error, "EBUSY")) return " (more than that is in use)";
  return "";
}
