import type { Event } from "./journal.ts";
import { JsonLines } from "./lines.ts";
import type { Paths } from "./paths.ts";

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
