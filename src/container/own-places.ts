import { lstatIfAny } from "../linux/stat.ts";
import { PROVIDED } from "./etc.ts";
import type { ContainerRecord } from "./record.ts";

/** Where the engine mounts things in each container, for which it may have made a place; /etc only where no layer has it. */
export function ownPlaces({ layers }: ContainerRecord): string[] {
  const places = ["/dev", "/proc", "/sys", ...Object.values(PROVIDED)];
  const hasEtc = layers.some((layer) => lstatIfAny(`${layer}/etc`) !== undefined);
  return hasEtc ? places : [...places, "/etc"];
}
