import { DT_DIR, listFolder } from "../linux/folder.ts";
import { type ProcessFacts, processFacts } from "../linux/procfs.ts";
import { groupMembers } from "../runtime/cgroup/remove.ts";
import { runningContainer } from "./kill.ts";
import type { Paths } from "./paths.ts";
import { groupFolderOf } from "./remains.ts";

/** The processes of a running container, groups that it has made below its own included, by pid (the host's). */
export function containerProcesses(paths: Paths, reference: string): ProcessFacts[] {
  const { record } = runningContainer(paths, reference);
  return membersBelow(groupFolderOf(record.id))
    .sort((a, b) => a - b)
    .flatMap((pid) => processFacts(pid) ?? []);
}

function membersBelow(folder: string): number[] {
  const inner = listFolder(folder).filter(({ type }) => type === DT_DIR);
  return [...groupMembers(folder), ...inner.flatMap(({ name }) => membersBelow(`${folder}/${name}`))];
}
