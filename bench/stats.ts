import type { Command } from "./measure.ts";

/** How long `stats` rests between two frames, in ms. */
const PAUSE = 1000;

/** Times the frames of a live `stats`: from one to the next, without the rest between them; in ms. */
export async function timeFrames(command: Command, frames: number): Promise<number[]> {
  const child = Bun.spawn([...command.argv], { env: { ...command.env }, stdout: "pipe", stderr: "ignore" });
  const decoder = new TextDecoder();
  const samples: number[] = [];
  let last: number | undefined;
  for await (const chunk of child.stdout) {
    if (!decoder.decode(chunk).includes("CONTAINER ID")) continue;
    const now = Bun.nanoseconds() / 1e6;
    if (last !== undefined) samples.push(now - last - PAUSE);
    last = now;
    if (samples.length === frames) break;
  }
  child.kill();
  await child.exited;
  return samples;
}
