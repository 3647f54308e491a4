/** What becomes of a layer that is pulled or pushed, in this order or less of it. */
export type LayerState =
  | "waiting"
  | "downloading"
  | "verifying"
  | "downloaded"
  | "extracting"
  | "done"
  | "exists"
  | "retrying"
  | "pushing"
  | "pushed"
  | "mounted";

/** Who is told how a pull or a push goes. Texts may come from a registry: they are made harmless where they are shown. */
export interface Progress {
  /** A plain line: "latest: Pulling from library/busybox". */
  line(text: string): void;
  /**
   * What happens with the layer of this digest now: `at` bytes `of` so many are done. `note` goes with two states: with
   * "retrying" the seconds until the next attempt, with "mounted" the repository that it came from. It may be called as
   * often as there is news.
   */
  layer(digest: string, state: LayerState, at?: number, of?: number, note?: string | number): void;
  /** Ends what is shown, be it finished or not, with the cursor below it; to be called in `finally`. */
  end(): void;
}

/** Tells nobody. */
export const SILENT: Progress = { line: () => {}, layer: () => {}, end: () => {} };
