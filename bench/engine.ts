import type { Command } from "./measure.ts";

/** One of the programs that are compared: how it does each of the things that are timed. */
export interface Engine {
  readonly name: string;
  /** What it still does in the background when its command has returned, in ms. */
  readonly settle: number;
  /** Runs `true` in a new container and removes it. */
  readonly run: Command;
  /** The same on the network that a container is in by itself. */
  readonly runOnNetwork?: Command;
  readonly version?: Command;
  readonly list?: Command;
  /** Runs `true` in a container that `idle` started. */
  exec(name: string): Command;
  /** Starts a container that sleeps; gives the pid of its first process. */
  idle(name: string): number;
  /** Shows what its containers use, again and again; absent where its frames cannot be told apart. */
  readonly stats?: Command;
  /** Like idle, for very many; absent where that makes no sense. */
  many?(names: readonly string[]): void;
  /** Removes all containers that there are. */
  clear(): void;
}

/** An engine, or why there is none. */
export type Found = Engine | { readonly name: string; readonly missing: string };

/** What all engines are given. */
export interface Site {
  /** A folder of ours, removed in the end. */
  readonly folder: string;
  /** An unpacked busybox, and the same as a tar. */
  readonly rootfs: string;
  readonly tar: string;
  /** The first part of the names of all cgroups and containers that bear a name of ours. */
  readonly prefix: string;
  readonly log: string;
  /** Registers what has to be undone; done in reverse order. */
  undo(what: () => void): void;
}

export const SLEEP: readonly string[] = ["sleep", "1000"];
