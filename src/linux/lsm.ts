import { readTextIfAny } from "./file.ts";

/** Whether AppArmor confines on this host (its module's parameter `enabled`). */
export function hasAppArmor(): boolean {
  return readTextIfAny("/sys/module/apparmor/parameters/enabled")?.startsWith("Y") ?? false;
}
