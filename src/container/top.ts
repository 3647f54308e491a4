import { type ProcessFacts, processFacts } from "../linux/procfs.ts";
import { allMembers } from "../runtime/cgroup/members.ts";
import { runningContainer } from "./kill.ts";
import type { Paths } from "./paths.ts";
import { groupFolderOf } from "./remains.ts";

/** The processes of a running container, groups that it has made below its own included, by pid (the host's). */
export function containerProcesses(paths: Paths, reference: string): ProcessFacts[] {
  const { record } = runningContainer(paths, reference);
  return allMembers(groupFolderOf(record.id))
    .sort((a, b) => a - b)
    .flatMap((pid) => processFacts(pid) ?? []);
}
