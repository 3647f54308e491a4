import type { DeviceMapping } from "../container/record.ts";
import { normalizePath } from "../linux/text.ts";
import type { DeviceRule } from "../runtime/spec.ts";
import type { Flag } from "./command.ts";
import { UsageError } from "./errors.ts";

/** The flags that give a container devices of the host. */
export const deviceFlags: readonly Flag[] = [
  {
    name: "device",
    kind: "list",
    value: "HOST[:CTR][:rwm]",
    help: "A device of the host, or a folder of them",
  },
  { name: "device-cgroup-rule", kind: "list", value: "RULE", help: "Allow more devices ('c 10:200 rwm')" },
];

/** `/dev/sda`, `/dev/sda:/dev/xvda`, `/dev/sda:r`, or all three. Whether it is there is looked up at each start. */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(":");
  const [host = "", second, third] = parts;
  if (parts.length > 3 || host === "") throw new UsageError(`invalid device specification: ${text}`);
  const isAccess = second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second);
  const container = isAccess ? host : (second ?? host);
  const access = isAccess ? second : (third ?? "rwm");
  for (const path of [host, container])
    if (!path.startsWith("/"))
      throw new UsageError(`invalid device '${text}': ${path} is not an absolute path`);
  if (!/^[rwm]{1,3}$/.test(access) || new Set(access).size < access.length)
    throw new UsageError(`invalid device '${text}': bad mode specified: ${access}; it is made of r, w and m`);
  const path = normalizePath(container);
  if (path === "/") throw new UsageError(`invalid device '${text}': it can't be '/'`);
  return { host, container: path, access };
}

/** The kernel's numbers have 12 and 20 bits (linux/kdev_t.h). */
const MOST_MAJOR = 4095;
const MOST_MINOR = 1048575;

/** `c 10:200 rwm`, as devices.allow of cgroup v1 takes it; `a` is for both kinds. */
export function parseDeviceRule(text: string): DeviceRule[] {
  const match = /^([acb]) ([0-9]{1,7}|\*):([0-9]{1,7}|\*) ([rwm]{1,3})$/.exec(text);
  if (!match)
    throw new UsageError(
      `invalid device cgroup format '${text}': it is TYPE MAJOR:MINOR ACCESS, such as 'c 10:200 rwm'`,
    );
  const [, type = "a", major = "*", minor = "*", access = ""] = match;
  if (Number(major) > MOST_MAJOR || Number(minor) > MOST_MINOR)
    throw new UsageError(
      `invalid device cgroup format '${text}': numbers go up to ${MOST_MAJOR} (major) and ${MOST_MINOR} (minor)`,
    );
  const numbers = {
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
  };
  const kinds = type === "a" ? (["b", "c"] as const) : [type as "b" | "c"];
  return kinds.map((kind) => ({ allow: true, type: kind, ...numbers, access }));
}
