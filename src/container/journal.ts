import { close, O, open, rename, writeAll } from "../linux/file.ts";
import { fstat } from "../linux/stat.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";

/** What has happened to a container, as a line of the journal has it. */
export interface Event {
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  readonly action: string;
  readonly id: string;
  /** Image, name and labels of the container, and what belongs to the action. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Of `die`. */
  readonly exitCode?: number;
}

/** The journal is begun anew when it is so large; the one before is kept. */
const LARGEST = 4 << 20;
const encoder = new TextEncoder();

/** What all events of a container have, but for the time. */
export function eventOf(
  { id, image, name, labels }: ContainerRecord,
  action: string,
  more: Readonly<Record<string, string>> = {},
): Omit<Event, "time"> {
  return { action, id, attributes: { ...labels, image, name, ...more } };
}

/** Now, as precise as the monitor's times, so that their order is right: RFC 3339 with nanoseconds, UTC. */
function preciseTime(): string {
  const now = performance.timeOrigin + performance.now();
  const whole = Math.floor(now);
  const below = Math.floor((now - whole) * 1e6);
  return new Date(whole).toISOString().replace("Z", `${String(below).padStart(6, "0")}Z`);
}

/** Puts down what was done to a container. A journal that cannot be written keeps nobody from the work itself. */
export function recordEvents(
  paths: Paths,
  record: ContainerRecord,
  actions: readonly string[],
  more?: Readonly<Record<string, string>>,
): void {
  const time = preciseTime();
  let text = "";
  for (const action of actions) text += `${JSON.stringify({ time, ...eventOf(record, action, more) })}\n`;
  try {
    const fd = open(paths.events, O.WRONLY | O.APPEND | O.CREAT | O.NOFOLLOW, 0o600);
    try {
      writeAll(fd, encoder.encode(text));
      if (fstat(fd).size > LARGEST) rename(paths.events, paths.olderEvents);
    } finally {
      close(fd);
    }
  } catch {
    // a full disk, or no folder yet
  }
}
