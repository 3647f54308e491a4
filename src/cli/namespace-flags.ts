import type { CreateOptions } from "../container/create.ts";
import { DEFAULT_SIZE } from "../container/idmap.ts";
import type { NamespaceModes } from "../container/record.ts";
import type { Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";

const MOST_IDS = 16 * DEFAULT_SIZE;

/** The flags that say which namespaces a container has for itself, and what is set in them. */
export const namespaceFlags: readonly Flag[] = [
  {
    name: "pid",
    kind: "string",
    value: "MODE",
    help: "Processes: its own (default), host, or container:NAME's",
  },
  {
    name: "ipc",
    kind: "string",
    value: "MODE",
    help: "Shared memory: private (default), shareable, none, host, or container:NAME's",
  },
  { name: "uts", kind: "string", value: "MODE", help: "Host name: its own (default), or the host's" },
  {
    name: "cgroupns",
    kind: "string",
    value: "MODE",
    help: "cgroups as it sees them: private (default) or host",
  },
  {
    name: "userns",
    kind: "string",
    value: "MODE",
    help: "Users: host (default), or auto[:size=N], who are nobody on the host",
  },
  { name: "sysctl", kind: "list", value: "NAME=VALUE", help: "Set a kernel parameter of its namespaces" },
];

type Checked = Pick<CreateOptions, "namespaces" | "sysctls" | "ids">;

/** What the flags ask for; nothing where none is given. Throws UsageError where Docker does. */
export function readNamespaces(input: Parsed): Checked {
  const pid = readMode(input, "pid", "PID", ["host", "container"]);
  const ipc = readMode(input, "ipc", "IPC", ["host", "container", "private", "shareable", "none"]);
  const uts = readMode(input, "uts", "UTS", ["host"]);
  const cgroup = readMode(input, "cgroupns", "CGROUP", ["host", "private"]);
  const ids = readUsers(input);
  if (uts === "host" && input.text("hostname"))
    throw new UsageError("conflicting options: hostname and the UTS mode: it has the host's");
  const namespaces: NamespaceModes = {
    ...(pid && { pid }),
    ...(ipc && ipc !== "private" && { ipc }),
    ...(uts && { uts }),
    ...(cgroup === "host" && { cgroup }),
  };
  if (ids !== undefined) checkUsers(input, namespaces);
  const sysctls = readSysctls(input.list("sysctl"), namespaces);
  return {
    ...(Object.keys(namespaces).length > 0 && { namespaces }),
    ...(sysctls && { sysctls }),
    ...(ids !== undefined && { ids }),
  };
}

/** One of the modes, and of `container:NAME` all of it; undefined where there is none. */
function readMode(input: Parsed, flag: string, what: string, modes: readonly string[]): string | undefined {
  const text = input.text(flag);
  if (!text) return undefined;
  const [mode = "", name] = text.split(":", 2);
  if (!modes.includes(mode) || (mode === "container") !== (name !== undefined && name !== ""))
    throw new UsageError(
      `--${flag}: invalid ${what} mode '${text}': it is ${modes.map((one) => (one === "container" ? "container:NAME" : one)).join(", ")}`,
    );
  return text;
}

/**
 * How many ids a container is to have for itself; `nomap` (Podman) is the same, as whoever runs it is not among them.
 * MYDOCKER_USERNS is what containers get that are not told (dockerd --userns-remap).
 */
function readUsers(input: Parsed): number | undefined {
  const text = input.text("userns") || process.env.MYDOCKER_USERNS || "host";
  if (text === "host") return undefined;
  const [, size] = /^(?:auto|nomap)(?::size=([0-9]{1,9}))?$/.exec(text) ?? [text];
  if (!/^(auto|nomap)/.test(text) || (size === undefined && text.includes(":")))
    throw new UsageError(`--userns: invalid USER mode '${text}': it is host, auto or auto:size=N`);
  const ids = size === undefined ? DEFAULT_SIZE : Number(size);
  if (ids < 1 || ids > MOST_IDS)
    throw new UsageError(`--userns: invalid size ${ids}: it is from 1 to ${MOST_IDS}`);
  return ids;
}

/** What would reach beyond the users of its own. Throws UsageError, as Docker does. */
function checkUsers(input: Parsed, { pid, ipc, uts }: NamespaceModes): void {
  const network = input.list("network").find((mode) => mode === "host" || mode.startsWith("container:"));
  const shared = [
    network && "network",
    pid && "PID",
    ipc && ipc !== "shareable" && ipc !== "none" && "IPC",
    uts && "UTS",
  ];
  const what = shared.find((one) => one);
  if (what)
    throw new UsageError(
      `cannot share another ${what} namespace when user namespaces are enabled: use --userns host`,
    );
  if (input.bool("privileged"))
    throw new UsageError(
      "privileged mode is incompatible with user namespaces: use --userns host, or --cap-add for what it needs",
    );
}

/** sysctl(8)'s names of what each IPC namespace has for itself (runc, libcontainer/configs/validate). */
const OF_IPC = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Only what changes nothing on the host. As with Docker a text without `=` is an empty value. */
function readSysctls(texts: readonly string[], { ipc }: NamespaceModes): Record<string, string> | undefined {
  if (texts.length === 0) return undefined;
  const sysctls: Record<string, string> = {};
  for (const text of texts) {
    const equals = text.indexOf("=");
    if (equals < 1) throw new UsageError(`invalid sysctl '${text}': it is NAME=VALUE`);
    const name = text.slice(0, equals);
    // with slashes it is the path, for names of interfaces that have dots
    const parts = name.split(name.includes("/") ? "/" : ".");
    if (!parts.every((part) => /^[A-Za-z0-9_.-]+$/.test(part) && part !== "." && part !== ".."))
      throw new UsageError(`invalid sysctl '${text}': ${JSON.stringify(name)} is no name of one`);
    const dotted = parts.join(".");
    const isIpc = OF_IPC.has(dotted) || dotted.startsWith("fs.mqueue.");
    if (isIpc && (ipc === "host" || ipc?.startsWith("container:")))
      throw new UsageError(
        `sysctl '${name}' is not allowed in the ${ipc === "host" ? "host's" : "other container's"} IPC namespace`,
      );
    if (!isIpc && !dotted.startsWith("net."))
      throw new UsageError(`sysctl '${name}' is not in a separate kernel namespace: it would be the host's`);
    sysctls[name] = text.slice(equals + 1);
  }
  return sysctls;
}

/** A sysctl of the network makes sense in a network namespace of its own only. */
export function checkSysctls({ sysctls }: Checked, { mode }: CreateOptions["network"]): void {
  const first = Object.keys(sysctls ?? {}).find((name) => name.startsWith("net"));
  if (first === undefined || (mode !== "host" && mode !== "container")) return;
  throw new UsageError(
    `sysctl '${first}' is not allowed in the ${mode === "host" ? "host's" : "other container's"} network namespace`,
  );
}
