import { isErrno } from "../linux/errno.ts";
import { close, O, open, pwrite, readRegular } from "../linux/file.ts";
import type { Paths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Writes into the state in /run whether the container is paused. Its file is not replaced, since the monitor holds a lock
 * on it: the two words are made equally long. Nothing is done where the run is over, or the file is lost.
 */
export function markPaused(paths: Paths, record: ContainerRecord, paused: boolean): void {
  const [from, to] = paused
    ? ['"status":"running"', '"status":"paused" ']
    : ['"status":"paused" ', '"status":"running"'];
  let fd: number;
  try {
    fd = open(paths.state(record.name), O.RDWR);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return;
    throw error;
  }
  try {
    const text = decoder.decode(readRegular(fd));
    const at = text.indexOf(from);
    if (at >= 0) pwrite(fd, encoder.encode(to), encoder.encode(text.slice(0, at)).length);
  } finally {
    close(fd);
  }
}
