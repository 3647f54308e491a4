import { exposedPorts } from "../container/inspect-network.ts";
import { isUp, statusOf } from "../container/liveness.ts";
import { attachmentOf } from "../container/network.ts";
import type { Paths } from "../container/paths.ts";
import { hostSide, portsOf } from "../container/ports.ts";
import type { ContainerRecord, State } from "../container/record.ts";
import { readContainer } from "../container/store.ts";
import { formatRows } from "./format.ts";
import { shorten } from "./table.ts";
import { humanDuration } from "./units.ts";

/** Docker's header for each field of a `table` format. */
const HEADERS: Record<string, string> = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Name: "NAME",
  PID: "PID",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  State: "STATE",
  Status: "STATUS",
  Ports: "PORTS",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
};

/** `ps --format`: each container with Docker's fields. What only the record tells is read when it is asked for. */
export function formatContainers(
  paths: Paths,
  format: string,
  states: readonly State[],
  whole: boolean,
): string {
  return formatRows(
    format,
    HEADERS,
    states.map((state) => fieldsOf(paths, state, whole)),
  );
}

function fieldsOf(paths: Paths, state: State, whole: boolean): Record<string, unknown> {
  let known: ContainerRecord | undefined;
  const record = (): ContainerRecord => {
    known ??= readContainer(paths, state.id).record;
    return known;
  };
  const command = whole ? state.command : shorten(state.command, 20);
  return {
    ID: state.id,
    Names: state.name,
    Name: state.name,
    PID: state.pid,
    Image: state.image,
    Command: `"${command}"`,
    CreatedAt: state.createTime,
    RunningFor: `${humanDuration(Date.now() - Date.parse(state.created))} ago`,
    State: statusOf(state),
    Status: describeStatus(state),
    get Ports(): string {
      return isUp(state) ? describePorts(paths, state.id, exposedPorts(record())) : "";
    },
    get Labels(): string {
      return Object.entries(record().labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(",");
    },
    get Mounts(): string {
      const names = record().volumes.map(({ name, source }) => name ?? source);
      return names.map((name) => (whole ? name : shorten(name, 15))).join(",");
    },
    get LocalVolumes(): string {
      return String(record().volumes.filter(({ name }) => name !== undefined).length);
    },
    get Networks(): string {
      const { endpoints = [], network } = record();
      return endpoints.length > 0 ? endpoints.map((one) => one.network).join(",") : network;
    },
  };
}

/** `0.0.0.0:8080->80/tcp, 443/tcp`; of a container that does not run nothing. */
function describePorts(paths: Paths, id: string, exposed: readonly string[]): string {
  const attachment = attachmentOf(paths, id);
  if (!attachment) return "";
  const bound = portsOf(attachment);
  const shown = [...bound].flatMap(([key, list]) => list.map((one) => `${hostSide(one)}->${key}`));
  return [...shown, ...exposed.filter((key) => !bound.has(key))].join(", ");
}

/** "Up 2 minutes", "Exited (0) 3 seconds ago". */
export function describeStatus(state: State): string {
  const ago = (time: string): string => humanDuration(Date.now() - Date.parse(time));
  const status = statusOf(state);
  if (status === "running") return `Up ${ago(state.startedAt)}`;
  if (status === "paused") return `Up ${ago(state.startedAt)} (Paused)`;
  if (status === "created") return "Created";
  return `Exited (${state.exitCode})${state.finishedAt ? ` ${ago(state.finishedAt)} ago` : ""}`;
}
