import type { CreateOptions } from "../container/create.ts";
import type { Limits } from "../container/record.ts";
import { parseSignal } from "../linux/signals.ts";
import type { Flag, Parsed } from "./command.ts";
import { deviceFlags, parseDevice, parseDeviceRule } from "./devices.ts";
import { absolute } from "./engine.ts";
import { readEnvironment, readLabels } from "./environment.ts";
import { UsageError } from "./errors.ts";
import { limitFlags, readLimits } from "./limits.ts";
import { asksForMounts, mountFlags } from "./mount-flags.ts";
import { namesFlags, readNames } from "./names-flags.ts";
import { checkSysctls, namespaceFlags, readNamespaces } from "./namespace-flags.ts";
import { addressFlags, readNetworksOf } from "./network-flags.ts";
import { parseExpose, parsePublish } from "./ports.ts";
import { readSecurity, securityFlags } from "./security-flags.ts";
import { parseUlimits } from "./ulimits.ts";
import { parseSize } from "./units.ts";
import { tellWarning } from "./warning.ts";

/** What a container is to be: the flags that run and create share. */
export const creationFlags: readonly Flag[] = [
  { name: "interactive", short: "i", kind: "bool", help: "Keep stdin open" },
  { name: "tty", short: "t", kind: "bool", help: "Give the program a terminal" },
  { name: "name", kind: "string", value: "NAME", help: "Name the container" },
  { name: "rm", kind: "bool", help: "Remove the container when it ends" },
  {
    name: "env",
    short: "e",
    kind: "list",
    value: "KEY=VALUE",
    help: "Set a variable (KEY alone: the caller's value)",
  },
  { name: "env-file", kind: "list", value: "FILE", help: "Read variables from a file" },
  ...mountFlags,
  ...limitFlags,
  { name: "cgroup-parent", kind: "string", value: "PATH", help: "The cgroup that its own is made in" },
  ...deviceFlags,
  ...securityFlags,
  ...namespaceFlags,
  { name: "init", kind: "bool", help: "A small init as pid 1, which reaps and hands signals on" },
  { name: "stop-signal", kind: "string", value: "SIGNAL", help: "The signal of stop (SIGTERM)" },
  { name: "stop-timeout", kind: "int", value: "SECONDS", help: "How long stop waits before it kills (10)" },
  { name: "cidfile", kind: "string", value: "FILE", help: "Write the container's id to a new file" },
  {
    name: "ulimit",
    kind: "list",
    value: "NAME=SOFT[:HARD]",
    help: "Limit of each process (nofile=1024:2048)",
  },
  { name: "oom-score-adj", kind: "int", value: "N", help: "How soon it is killed for memory, -1000 to 1000" },
  { name: "shm-size", kind: "string", value: "BYTES", help: "Size of /dev/shm (64m)" },
  { name: "workdir", short: "w", kind: "string", value: "DIR", help: "Working folder in the container" },
  { name: "user", short: "u", kind: "string", value: "USER[:GROUP]", help: "Run as this user" },
  { name: "hostname", short: "h", kind: "string", value: "NAME", help: "Host name in the container" },
  { name: "entrypoint", kind: "string", value: "PROGRAM", help: "Replace the image's entrypoint" },
  {
    name: "network",
    aliases: ["net"],
    kind: "list",
    value: "NETWORK",
    help: "bridge (default), none, host, container:NAME, or a network's name (repeatable)",
  },
  ...addressFlags,
  {
    name: "network-alias",
    aliases: ["net-alias"],
    kind: "list",
    value: "NAME",
    help: "Another name for it in the network",
  },
  {
    name: "publish",
    short: "p",
    kind: "list",
    value: "[IP:][HOST:]CTR[/PROTO]",
    help: "Let a port of the host lead to one of the container",
  },
  {
    name: "publish-all",
    short: "P",
    kind: "bool",
    help: "Publish every exposed port on a free one of the host",
  },
  { name: "expose", kind: "list", value: "PORT[/PROTO]", help: "Say that it serves on this port" },
  ...namesFlags,
  { name: "label", short: "l", kind: "list", value: "KEY=VALUE", help: "Put a label on the container" },
  { name: "label-file", kind: "list", value: "FILE", help: "Read labels from a file" },
  { name: "pull", kind: "string", value: "WHEN", help: "Pull the image: always, missing (default) or never" },
  { name: "platform", kind: "string", value: "OS/ARCH", help: "Of an image for several the one for this" },
  { name: "quiet", short: "q", kind: "bool", help: "No progress of a pull" },
  { name: "rootfs", kind: "bool", help: "IMAGE is a folder of the host, which stays unchanged" },
];

/** The container that was asked for, each flag checked. What reads mounts is loaded where there are any. Throws UsageError. */
export async function readCreation(input: Parsed): Promise<CreateOptions> {
  const options = readFlags(input);
  return asksForMounts(input) ? { ...options, ...(await import("./mounts.ts")).readMounts(input) } : options;
}

function readFlags(input: Parsed): CreateOptions {
  const [image = "", ...args] = input.args;
  const rootfs = input.bool("rootfs");
  const workdir = input.text("workdir");
  if (workdir && !workdir.startsWith("/"))
    throw new UsageError(`invalid working folder '${workdir}': it is relative, and must be an absolute path`);
  // as Docker: an empty text is none given, which scripts with empty variables rely on
  const text = <K extends string>(key: K, flag: string): { [P in K]?: string } => {
    const value = input.text(flag);
    return (value ? { [key]: value } : {}) as { [P in K]?: string };
  };
  const name = input.text("name")?.replace(/^\//, "");
  const entrypoint = input.text("entrypoint");
  const oomScoreAdj = input.int("oom-score-adj");
  if (oomScoreAdj !== undefined && Math.abs(oomScoreAdj) > 1000)
    throw new UsageError(`invalid OOM score '${oomScoreAdj}': the range is from -1000 to 1000`);
  const cgroupParent = readCgroupParent(input.text("cgroup-parent"));
  const network = readNetworkFlags(input);
  const namespaces = readNamespaces(input);
  checkSysctls(namespaces, network);
  const stopTimeout = input.int("stop-timeout");
  const shmSize = parseSize(input.text("shm-size") || "0");
  return {
    image: rootfs ? absolute(image) : image,
    rootfs,
    wish: readWish(input),
    warn: tellWarning,
    args,
    env: readEnvironment(input),
    volumes: [],
    ...(input.bool("read-only") && { readOnly: true }),
    limits: { ...readLimits(input), ...readHostThings(input) },
    ...readSecurity(input),
    ...namespaces,
    network,
    ports: input.list("publish").flatMap(parsePublish),
    exposed: input.list("expose").flatMap(parseExpose),
    publishAll: input.bool("publish-all"),
    ...readNames(input),
    labels: readLabels(input),
    terminal: input.bool("tty"),
    stdin: input.bool("interactive"),
    autoRemove: input.bool("rm"),
    ...(name && { name }),
    ...(entrypoint !== undefined && { entrypoint }),
    ...(shmSize > 0 && { shmSize }),
    ...(cgroupParent !== undefined && { cgroupParent }),
    ...(oomScoreAdj !== undefined && { oomScoreAdj }),
    ...(input.bool("init") && { init: true }),
    ...(stopTimeout !== undefined && { stopTimeout }),
    ...readStopSignal(input.text("stop-signal")),
    ...text("workdir", "workdir"),
    ...text("user", "user"),
    ...text("hostname", "hostname"),
  };
}

/** Its name is kept as it was given, which commit and inspect show. */
function readStopSignal(text: string | undefined): Pick<CreateOptions, "stopSignal"> {
  if (!text) return {};
  if (parseSignal(text) === undefined) throw new UsageError(`invalid signal: ${text}`);
  return { stopSignal: text };
}

/** What to do where the image is not there; what that needs is loaded when it comes to it. */
function readWish(input: Parsed): CreateOptions["wish"] {
  const pull = input.text("pull") || "missing";
  if (pull !== "always" && pull !== "missing" && pull !== "never")
    throw new UsageError(`invalid pull option '${pull}': must be one of "always", "missing" or "never"`);
  const platform = input.text("platform") || process.env.DOCKER_DEFAULT_PLATFORM;
  const quiet = input.bool("quiet");
  return {
    pull,
    ...(platform && { platform }),
    progress: async () => (await import("./progress.ts")).openProgress({ fd: 2, quiet, kind: "pull" }),
    interruptible: async (work) => (await import("./interrupt.ts")).interruptible(work),
  };
}

/** Devices and limits of processes, where any are asked for. */
function readHostThings(input: Parsed): Pick<Limits, "devices" | "deviceRules" | "ulimits"> {
  const [devices, rules, ulimits] = [
    input.list("device"),
    input.list("device-cgroup-rule"),
    input.list("ulimit"),
  ];
  return {
    ...(devices.length > 0 && { devices: devices.map(parseDevice) }),
    ...(rules.length > 0 && { deviceRules: rules.flatMap(parseDeviceRule) }),
    ...(ulimits.length > 0 && { ulimits: parseUlimits(ulimits) }),
  };
}

/** A path from the root of each cgroup tree; a relative one too, as with Docker. Empty is the root itself. */
function readCgroupParent(path: string | undefined): string | undefined {
  if (!path) return undefined;
  for (const letter of path)
    if (letter < " ")
      throw new UsageError(`invalid cgroup parent ${JSON.stringify(path)}: it has control characters`);
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes(".."))
    throw new UsageError(`invalid cgroup parent '${path}': it must not lead upwards ('..')`);
  return names.map((name) => `/${name}`).join("");
}

/** What makes no sense without a network of its own. Throws UsageError where Docker does. */
function checkShared(input: Parsed, { mode }: CreateOptions["network"]): void {
  const given = (...flags: string[]): boolean => flags.some((flag) => input.has(flag));
  if (mode === "host" && given("publish", "publish-all"))
    tellWarning("Published ports are discarded when using host network mode");
  if (mode !== "container") return;
  if (given("publish", "publish-all", "expose"))
    throw new UsageError(
      "conflicting options: port publishing and the container type network mode: publish them with that container",
    );
  if (given("hostname"))
    throw new UsageError("conflicting options: hostname and the network mode: it has that container's");
  if (given("dns", "dns-search", "dns-option", "add-host"))
    throw new UsageError("conflicting options: custom names and the network mode: it has that container's");
}

function readNetworkFlags(input: Parsed): CreateOptions["network"] {
  const network = readNetworksOf(input, input.list("network"), input.list("network-alias"));
  checkShared(input, network);
  return network;
}
