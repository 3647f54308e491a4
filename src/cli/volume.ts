import type { Volume } from "../container/record.ts";
import { normalizePath } from "../linux/text.ts";
import { UsageError } from "./errors.ts";

/** What may be mounted over in /proc, as runc has it: files that only tell numbers (lxcfs). */
const OVER_PROC = new Set(
  ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"].map(
    (name) => `/proc/${name}`,
  ),
);

const PROPAGATIONS = new Set(["private", "rprivate", "slave", "rslave", "shared", "rshared"]);

/** -v HOST:CONTAINER[:OPTIONS]. HOST is absolute, or starts with `.` and is below `cwd`. */
export function parseVolume(text: string, cwd: string): Volume {
  const wrong = (why: string): UsageError =>
    new UsageError(`invalid volume specification: '${text}': ${why}`);
  const parts = text.split(":");
  const [source = "", destination = "", options] = parts;
  if (parts.length < 2 || parts.length > 3 || source === "" || destination === "" || options === "")
    throw wrong("use HOST:CONTAINER or HOST:CONTAINER:ro");
  if (!source.startsWith("/") && !source.startsWith("."))
    throw wrong("named volumes are not supported yet: the host's folder must start with / or .");
  if (!destination.startsWith("/")) throw wrong("the folder in the container must be an absolute path");
  const target = normalizePath(destination);
  if (target === "/") throw wrong("the destination can't be '/'");
  if (/^\/proc(\/|$)/.test(target) && !OVER_PROC.has(target))
    throw wrong("the destination can't be in /proc, which is the kernel's");
  return {
    source: normalizePath(source.startsWith("/") ? source : `${cwd}/${source}`),
    destination: target,
    ...readOptions(options, wrong),
  };
}

function readOptions(
  options: string | undefined,
  wrong: (why: string) => UsageError,
): Pick<Volume, "readOnly" | "propagation"> {
  const seen = new Map<string, string>();
  for (const option of options?.split(",") ?? []) {
    const kind =
      option === "ro" || option === "rw"
        ? "mode"
        : PROPAGATIONS.has(option)
          ? "propagation"
          : /^[zZ]$/.test(option)
            ? "label"
            : undefined;
    if (kind === undefined) throw wrong(`unknown option '${option}'`);
    if (seen.has(kind)) throw wrong(`'${seen.get(kind)}' and '${option}' exclude each other`);
    seen.set(kind, option);
  }
  const propagation = seen.get("propagation");
  return { readOnly: seen.get("mode") === "ro", ...(propagation !== undefined && { propagation }) };
}
