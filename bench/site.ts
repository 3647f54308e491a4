import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { CLONE, MNT_DETACH, MS, mount, umount, unshare } from "../src/linux/mount.ts";
import { loopbackUp } from "../src/linux/socket.ts";
import type { Site } from "./engine.ts";
import { output } from "./measure.ts";

const CGROUPS = "/sys/fs/cgroup";
const APPLETS = ["true", "sleep", "sh"];

/**
 * A folder, a mount and a network namespace and a list of things to undo. Mounts and links made from here on are seen by
 * nobody else, and go with this process. crun 1.8 refuses a hybrid cgroup tree whose v2 part has controllers: that part is hidden.
 */
export function openSite(program: string): Site & { close(): void } {
  unshare(CLONE.NEWNS | CLONE.NEWNET);
  loopbackUp();
  mount("", "/", "", MS.REC | MS.PRIVATE);
  if (existsSync(`${CGROUPS}/unified`)) mount("tmpfs", `${CGROUPS}/unified`, "tmpfs", 0);
  const folder = mkdtempSync("/var/tmp/mydocker-bench-");
  const prefix = `mydocker-bench-${process.pid}`;
  const undos: (() => void)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
    () => unmountBelow(folder),
    () => removeCgroups(prefix),
  ];
  const rootfs = `${folder}/rootfs`;
  const tar = `${folder}/rootfs.tar`;
  const site = {
    ...{ folder, rootfs, tar, prefix, log: `${folder}/stderr` },
    undo: (what: () => void): void => void undos.push(what),
    close: (): void => undoAll(undos),
  };
  try {
    makeRootfs(rootfs, program, folder);
    output({ argv: ["tar", "-C", rootfs, "-cf", tar, "."] });
    return site;
  } catch (error) {
    site.close();
    throw error;
  }
}

function undoAll(undos: (() => void)[]): void {
  for (let undo = undos.pop(); undo; undo = undos.pop()) {
    try {
      undo();
    } catch (error) {
      process.stderr.write(`bench: cleaning up: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

/** The layer that mydocker unpacks from its embedded image, or without mydocker a few links to /bin/busybox. */
function makeRootfs(rootfs: string, program: string, folder: string): void {
  const root = `${folder}/mydocker-root`;
  const env = { MYDOCKER_ROOT: root, MYDOCKER_RUN: `${folder}/mydocker-run` };
  if (existsSync(program)) {
    output({ argv: [program, "run", "--rm", "--network", "none", "busybox", "true"], env });
    const layer = readdirSync(`${root}/layers`)[0];
    if (layer === undefined) throw new Error(`${program} left no layer in ${root}`);
    output({ argv: ["cp", "-a", `${root}/layers/${layer}`, rootfs] });
    return;
  }
  if (!existsSync("/bin/busybox")) throw new Error("no /bin/busybox: apt-get install busybox-static");
  for (const name of ["bin", "dev", "etc", "proc", "sys", "tmp", "root"])
    mkdirSync(`${rootfs}/${name}`, { recursive: true });
  output({ argv: ["cp", "/bin/busybox", `${rootfs}/bin/busybox`] });
  for (const applet of APPLETS) output({ argv: ["ln", "-s", "busybox", `${rootfs}/bin/${applet}`] });
}

function unmountBelow(folder: string): void {
  const targets = readFileSync("/proc/thread-self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((target) => target.startsWith(`${folder}/`));
  for (const target of targets.reverse()) umount(target, MNT_DETACH);
}

/** Groups that a peer left (Podman: the parent of all its containers): ours by name, and empty by now. */
function removeCgroups(prefix: string): void {
  const tops = existsSync(`${CGROUPS}/cgroup.procs`)
    ? [CGROUPS]
    : readdirSync(CGROUPS).map((name) => `${CGROUPS}/${name}`);
  for (const top of tops)
    for (const name of readdirSync(top)) if (name.startsWith(`${prefix}-`)) removeGroup(`${top}/${name}`);
}

function removeGroup(folder: string): void {
  output({ argv: ["find", folder, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"] });
}
