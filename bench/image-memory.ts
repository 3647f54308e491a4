import { readFileSync } from "node:fs";
import { type Command, Interrupted, interruption } from "./measure.ts";
import { processes } from "./memory.ts";

const PAUSE_MS = 5;

/**
 * Runs a program, and returns the most kB of anonymous memory (smaps_rollup) that it held together with all its descendants,
 * and the processes `also` with theirs, as seen every few milliseconds.
 */
export async function peakOf(command: Command, also: readonly number[] = []): Promise<number> {
  const env = { PATH: process.env.PATH ?? "", HOME: "/root", ...command.env };
  const child = Bun.spawn([...command.argv], { env, stdio: ["ignore", "ignore", "ignore"] });
  let over = false;
  const exited = child.exited.finally(() => {
    over = true;
  });
  let most = 0;
  while (!over) {
    most = Math.max(most, heldBy([child.pid, ...also]));
    await Bun.sleep(PAUSE_MS);
    if (interruption.seen) child.kill("SIGKILL");
  }
  if (interruption.seen) throw new Interrupted("interrupted");
  const code = await exited;
  if (code !== 0) throw new Error(`${command.argv.join(" ")}: exit code ${code}`);
  return most;
}

function heldBy(roots: readonly number[]): number {
  const parents = processes();
  const family = [...roots];
  for (const member of family) for (const [one, parent] of parents) if (parent === member) family.push(one);
  return family.reduce((sum, pid) => sum + anonymous(pid), 0);
}

/** 0 for one that is gone meanwhile. */
function anonymous(pid: number): number {
  try {
    return Number(
      /^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0,
    );
  } catch {
    return 0;
  }
}
