import { attach } from "../container/attach.ts";
import type { Paths } from "../container/paths.ts";
import { settleEnd } from "../container/remove.ts";
import type { Running } from "../container/start.ts";
import { print } from "../linux/process.ts";

/** Stays with a container until its program has ended, or the user leaves it running; gives the client's exit code. */
export async function stayAttached(paths: Paths, running: Running): Promise<number> {
  const end = await attach(running.shim, running.attachment);
  if (end.exitCode === undefined) return 0;
  await settleEnd(paths, running, end);
  // 137 alone does not say who it was
  if (end.oomKilled && end.exitCode !== 0) {
    const { name, limits } = running.container.record;
    const remedy =
      limits.memory === undefined ? "the host has no more" : `its limit is ${limits.memory} bytes (-m)`;
    print(2, `mydocker: a process of container ${name} was killed, out of memory: ${remedy}\n`);
  }
  return end.exitCode;
}
