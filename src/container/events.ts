import { close, O, open, rename, writeAll } from "../linux/file.ts";
import { fstat } from "../linux/stat.ts";
import { JsonLines } from "./lines.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";

/** What has happened to a container, as a line of the journal has it. */
export interface Event {
  /** RFC 3339, UTC; of the monitor's with nanoseconds. */
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

/** Puts down what was done to a container. A journal that cannot be written keeps nobody from the work itself. */
export function recordEvents(
  paths: Paths,
  record: ContainerRecord,
  actions: readonly string[],
  more?: Readonly<Record<string, string>>,
): void {
  const time = new Date().toISOString();
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

/** From when to when, in milliseconds since 1970; undefined is from now on, and for ever. */
export interface EventSpan {
  readonly since: number | undefined;
  readonly until: number | undefined;
}

/** How often it is looked for new events, in milliseconds. */
const PAUSE = 50;

/** Gives every event of a span to `take`, in the order of the journal, as they come. */
export async function readEvents(
  paths: Paths,
  { since, until }: EventSpan,
  take: (event: Event) => void,
): Promise<void> {
  const from = since ?? Date.now();
  const wanted = (event: Event): void => {
    const time = Date.parse(event.time);
    if (time >= from && time <= (until ?? time)) take(event);
  };
  if (since !== undefined) drainOnce(paths.olderEvents, wanted);
  let journal =
    since === undefined ? JsonLines.atEnd<Event>(paths.events) : JsonLines.open<Event>(paths.events);
  try {
    for (;;) {
      // looked at before it is read: what was written until then is in it
      const over = until !== undefined && Date.now() > until;
      const replaced = journal?.isReplaced() ?? true;
      journal?.drain(wanted);
      if (over) return;
      if (replaced) {
        journal?.close();
        journal = JsonLines.open<Event>(paths.events);
      }
      await Bun.sleep(PAUSE);
    }
  } finally {
    journal?.close();
  }
}

function drainOnce(path: string, take: (event: Event) => void): void {
  const lines = JsonLines.open<Event>(path);
  lines?.drain(take);
  lines?.close();
}
