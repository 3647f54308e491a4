import { readText, writeInto } from "../../linux/file.ts";
import type { Resources } from "../spec.ts";
import { requireCpus } from "./cpus.ts";
import { makeGroupFolder, parentOf } from "./folders.ts";

/** Throws where CPUs or memory nodes are asked for that the group above `folder` does not have. */
export function checkCpuset(version: 1 | 2, folder: string, { cpu }: Resources): void {
  const available = (what: "cpus" | "mems"): string =>
    readText(
      `${parentOf(folder)}/${version === 1 ? `cpuset.effective_${what}` : `cpuset.${what}.effective`}`,
    ).trim();
  if (cpu?.cpus !== undefined) requireCpus(cpu.cpus, available("cpus"));
  if (cpu?.mems !== undefined) requireCpus(cpu.mems, available("mems"), "memory nodes");
}

/**
 * Makes a group in the v1 hierarchy of cpuset that is mounted at `top`, with the CPUs and memory nodes of its parent: a new
 * one has none, and cannot be joined before it has both. Throws where others are asked for than there are.
 */
export function makeCpuset(
  top: string,
  cgroupsPath: string,
  parents: string[],
  resources: Resources,
): string {
  const folder = makeGroupFolder(top, cgroupsPath, parents, (parent) => {
    if (parent !== top) inheritCpuset(parent);
  });
  inheritCpuset(folder);
  checkCpuset(1, folder, resources);
  return folder;
}

function inheritCpuset(folder: string): void {
  for (const file of ["cpuset.cpus", "cpuset.mems"])
    if (readText(`${folder}/${file}`).trim() === "")
      writeInto(`${folder}/${file}`, readText(`${parentOf(folder)}/${file}`).trim());
}
