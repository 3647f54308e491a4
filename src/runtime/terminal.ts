import { close } from "../linux/file.ts";
import { MOUNT_ATTR, newFilesystem } from "../linux/mount.ts";
import { openPty, type Pty } from "../linux/tty.ts";

/** A container's own devpts instance, not mounted yet, with the terminal of its first process in it. */
export interface Terminal extends Pty {
  readonly devpts: number;
}

/**
 * Makes it before any process of the container exists, so that both ends can be handed out by inheritance. `owner` is the
 * container's root on the host.
 */
export function makeTerminal(owner = 0): Terminal {
  const options = { mode: "0620", ptmxmode: "0666", uid: String(owner), gid: String(owner + 5) };
  const devpts = newFilesystem("devpts", options, MOUNT_ATTR.NOSUID | MOUNT_ATTR.NOEXEC);
  try {
    return { ...openPty(devpts), devpts };
  } catch (error) {
    close(devpts);
    throw error;
  }
}
