import { shortId } from "../image/full-name.ts";
import type { LayerState } from "../image/progress.ts";
import { humanSize } from "./units.ts";

/** Which way layers go: some states have other words. */
export type Direction = "pull" | "push";

/** A layer as it is to be shown. */
export interface Row {
  readonly digest: string;
  readonly state: LayerState;
  readonly at: number;
  readonly of: number;
  readonly note: string;
}

/** Docker's words. */
const WORDS: Readonly<Record<LayerState, string>> = {
  waiting: "Pulling fs layer",
  downloading: "Downloading",
  verifying: "Verifying Checksum",
  downloaded: "Download complete",
  extracting: "Extracting",
  done: "Pull complete",
  exists: "Already exists",
  retrying: "Retrying",
  pushing: "Pushing",
  pushed: "Pushed",
  mounted: "Mounted",
};
const PUSH_WORDS: Partial<Record<LayerState, string>> = {
  waiting: "Preparing",
  done: "Pushed",
  exists: "Layer already exists",
};
const MOVING: ReadonlySet<LayerState> = new Set(["downloading", "extracting", "pushing"]);
const OVER: ReadonlySet<LayerState> = new Set(["done", "exists", "pushed", "mounted"]);

/** Docker's bar has so many columns, and is not worth its place with less than so many. */
const WIDEST = 50;
const NARROWEST = 10;

/** Whether nothing more happens with a layer. */
export function isOver({ state }: Row): boolean {
  return OVER.has(state);
}

/** Whether its state is one of many small steps, which only a terminal shows. */
export function isMoving({ state }: Row): boolean {
  return MOVING.has(state);
}

/** `a1b2c3d4e5f6: Pull complete`: a layer's state, without a bar. */
export function describeRow(row: Row, direction: Direction): string {
  const { state, note } = row;
  const words = (direction === "push" ? PUSH_WORDS[state] : undefined) ?? WORDS[state];
  return `${shortId(row.digest)}: ${words}${noteOf(state, note)}`;
}

function noteOf(state: LayerState, note: string): string {
  if (note === "") return "";
  if (state === "retrying") return ` in ${note} ${note === "1" ? "second" : "seconds"}`;
  return state === "mounted" ? ` from ${note}` : "";
}

/** One line for a terminal of so many columns, with a bar where there is one to show and room for it; never longer. */
export function drawRow(row: Row, direction: Direction, columns: number): string {
  const text = describeRow(row, direction);
  if (!isMoving(row) || (row.at <= 0 && row.of <= 0)) return text.slice(0, columns);
  const gauge = drawGauge(row.at, row.of, columns - text.length - 1);
  return `${text} ${gauge}`.slice(0, columns);
}

function drawGauge(at: number, of: number, room: number): string {
  // a size that was announced wrongly is left out
  if (of <= 0 || at > of) return humanSize(at).padStart(8);
  const numbers = `${humanSize(at).padStart(8)}/${humanSize(of)}`;
  const width = Math.min(WIDEST, room - numbers.length - "[>] ".length);
  if (width < NARROWEST) return numbers;
  const full = Math.floor((at / of) * width);
  return `[${"=".repeat(full)}>${" ".repeat(width - full)}] ${numbers}`;
}

/** How rows fit on a terminal. */
export interface Fit {
  /** Those that are over and make place: they become plain lines above the others. */
  readonly gone: readonly Row[];
  readonly shown: readonly Row[];
  /** How many more wait for their turn unseen. */
  readonly hidden: number;
}

/** Chooses what is shown on `most` lines: all if they fit, else those that something happens with, in their order. */
export function fitRows(rows: readonly Row[], most: number): Fit {
  const tooMany = Math.max(0, rows.length - most);
  const gone = rows.filter(isOver).slice(0, tooMany);
  const left = rows.filter((row) => !gone.includes(row));
  if (left.length <= most) return { gone, shown: left, hidden: 0 };
  // the last line says how many are not seen
  const room = Math.max(0, most - 1);
  const busy = left.filter(({ state }) => state !== "waiting").slice(0, room);
  const waiting = left.filter(({ state }) => state === "waiting").slice(0, room - busy.length);
  const chosen = new Set([...busy, ...waiting]);
  return { gone, shown: left.filter((row) => chosen.has(row)), hidden: left.length - chosen.size };
}

/** The lines for a window: as many as it has room for below the first and above the cursor, none wider than it. */
export function layOut({ shown, hidden }: Fit, direction: Direction, columns: number): string[] {
  const lines = shown.map((row) => drawRow(row, direction, columns));
  if (hidden > 0) lines.push(`... and ${hidden} more`.slice(0, columns));
  return lines;
}
