import type { Command } from "./measure.ts";

/** What a frame of a live `stats` costs in CPU time, in ms: that of the whole program, its start included, over its frames. */
export async function timeFrames(command: Command, frames: number): Promise<number> {
  const child = Bun.spawn([...command.argv], { env: { ...command.env }, stdout: "pipe", stderr: "ignore" });
  const decoder = new TextDecoder();
  let seen = 0;
  for await (const chunk of child.stdout) {
    seen += decoder.decode(chunk).split("CONTAINER ID").length - 1;
    if (seen >= frames) break;
  }
  child.kill();
  await child.exited;
  return Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000 / seen;
}
