import type { LayerState, Progress } from "../image/progress.ts";
import { SysError } from "../linux/errno.ts";
import { writeAll } from "../linux/file.ts";
import { isTerminal, windowSize } from "../linux/tty.ts";
import { harmless } from "./harmless.ts";
import { type Direction, describeRow, fitRows, isMoving, isOver, layOut, type Row } from "./progress-bars.ts";

/** Between two drawings, in milliseconds. */
const PAUSE = 100;

/** Where progress is shown, and how. */
export interface ProgressOptions {
  /** 1 for commands whose result it is, as `pull`; 2 within others. */
  readonly fd: number;
  /** Shows nothing at all. */
  readonly quiet: boolean;
  readonly kind: Direction;
}

/**
 * Shows how a pull or push goes, as Docker does: with bars that move on a terminal, elsewhere as plain lines, one for each
 * state. A reader that is gone is no reason to stop: nothing more is written then. Never throws.
 */
export function openProgress({ fd, quiet, kind }: ProgressOptions): Progress {
  if (quiet) return { line() {}, layer() {}, end() {} };
  const write = writer(fd);
  if (!isTerminal(fd) || process.env.TERM === "dumb") return new PlainLines(write, kind);
  return new Bars({ write, size: () => windowSize(fd) ?? { columns: 80, rows: 24 } }, kind);
}

function writer(fd: number): (text: string) => void {
  const encoder = new TextEncoder();
  let isGone = false;
  return (text) => {
    if (isGone) return;
    try {
      writeAll(fd, encoder.encode(text));
    } catch (error) {
      if (!(error instanceof SysError)) throw error;
      isGone = true;
    }
  };
}

/** For files, pipes and terminals that cannot move their cursor: each state of a layer once, each further attempt too. */
class PlainLines implements Progress {
  readonly #told = new Set<string>();
  readonly #last = new Map<string, LayerState>();

  constructor(
    readonly write: (text: string) => void,
    readonly direction: Direction,
  ) {}

  line(text: string): void {
    this.write(`${harmless(text)}\n`);
  }

  layer(digest: string, state: LayerState, at = 0, of = 0, note: string | number = ""): void {
    const row = rowOf(digest, state, at, of, note);
    const key = `${state} ${row.digest}`;
    const isNews = this.#last.get(row.digest) !== state && (state === "retrying" || !this.#told.has(key));
    this.#last.set(row.digest, state);
    if (!isNews || isMoving(row)) return;
    this.#told.add(key);
    this.write(`${describeRow(row, this.direction)}\n`);
  }

  end(): void {
    this.#told.clear();
    this.#last.clear();
  }
}

/** Bars are cut by characters: each of theirs takes one column. */
function plainAscii(text: string): string {
  return text.replace(/[^ -~]/gu, "?");
}

function rowOf(digest: string, state: LayerState, at: number, of: number, note: string | number): Row {
  return { digest: plainAscii(digest), state, at, of, note: plainAscii(String(note)) };
}

/** A terminal: what is written to it, and its window's present size. */
export interface Terminal {
  write(text: string): void;
  size(): { readonly columns: number; readonly rows: number };
}

/**
 * A line a layer, drawn over in place. All of them are above the cursor, and none is wider than the window: so many lines up
 * is where they begin. What is written above them stays.
 */
export class Bars implements Progress {
  readonly #rows = new Map<string, Row>();
  #drawn: readonly string[] = [];
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly terminal: Terminal,
    readonly direction: Direction,
    readonly now: () => number = () => performance.now(),
  ) {}

  line(text: string): void {
    // what is said when all layers are finished belongs below them
    if ([...this.#rows.values()].every(isOver)) this.end();
    this.#draw([harmless(text)]);
  }

  layer(digest: string, state: LayerState, at = 0, of = 0, note: string | number = ""): void {
    const row = rowOf(digest, state, at, of, note);
    this.#rows.set(row.digest, row);
    if (this.#timer !== undefined) return;
    const wait = this.#drawnAt + PAUSE - this.now();
    if (wait <= 0) return this.#draw();
    this.#timer = setTimeout(() => this.#draw(), wait);
    // whoever is told nothing more has forgotten to end this: no reason to stay
    this.#timer.unref();
  }

  end(): void {
    this.#draw();
    this.#rows.clear();
    this.#drawn = [];
  }

  /** Draws all rows anew, with `above` as plain lines before them. */
  #draw(above: readonly string[] = []): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { columns, rows } = this.terminal.size();
    const fit = fitRows([...this.#rows.values()], Math.max(1, rows - 1));
    for (const row of fit.gone) this.#rows.delete(row.digest);
    const plain = [...above, ...fit.gone.map((row) => describeRow(row, this.direction))];
    const lines = layOut(fit, this.direction, columns);
    this.#drawnAt = this.now();
    if (plain.length === 0 && lines.join("\n") === this.#drawn.join("\n")) return;
    this.terminal.write(this.#up(columns, rows) + written(plain, lines));
    this.#drawn = lines;
  }

  /**
   * To the first of the lines drawn last. Where the window has become too narrow for them, terminals differ in whether they
   * broke them in two: nobody knows where they are, so they stay, and the next ones are drawn below.
   */
  #up(columns: number, rows: number): string {
    const isLost = this.#drawn.some((line) => line.length > columns);
    const count = isLost ? 0 : Math.min(this.#drawn.length, rows - 1);
    return count > 0 ? `\r\x1b[${count}A` : "\r";
  }
}

/** Each line is cleared before it is written: after its last column there is nothing to clear, and that one would go. */
function written(plain: readonly string[], lines: readonly string[]): string {
  // plain lines may be longer than the window, and go over what is below them
  const above = plain.length > 0 ? `\x1b[J${plain.join("\n")}\n` : "";
  return `${above}${lines.map((line) => `\x1b[2K${line}\n`).join("")}\x1b[J`;
}
