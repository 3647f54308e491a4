import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, openIn, readAll } from "../linux/file.ts";

/** Who a process is: ids for the kernel, and the home folder for its environment. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

const MAX_ID = 0x7fffffff;
/** /etc/passwd and /etc/group come from an image: what is longer than this is not read. */
const LIMIT = 4 << 20;

/**
 * Resolves `name|uid[:group|gid]` (empty: root) with the text of the container's own passwd(5) and group(5). A number
 * is always an id, even unlisted; supplementary groups only where no group was given.
 */
export function resolveUser(user: string, passwd: string, group: string): Identity {
  const colon = user.indexOf(":");
  const who = (colon < 0 ? user : user.slice(0, colon)) || "0";
  const withGroup = colon < 0 ? undefined : user.slice(colon + 1) || undefined;
  const number = idNumber(who);
  const entry = entries(passwd).find((fields) =>
    number === undefined ? fields[0] === who : fields[2] === String(number),
  );
  const uid = number ?? idNumber(entry?.[2] ?? "");
  if (uid === undefined)
    throw new EngineError(`unable to find user ${who}: no matching entries in passwd file`, 126);
  const gid = withGroup ? resolveGroup(withGroup, group) : (idNumber(entry?.[3] ?? "") ?? 0);
  const home = entry?.[5] || "/";
  return {
    uid,
    gid,
    home,
    groups: withGroup === undefined && entry ? memberships(entry[0] ?? "", group) : [],
  };
}

function resolveGroup(name: string, group: string): number {
  const gid = idNumber(name) ?? idNumber(entries(group).find((fields) => fields[0] === name)?.[2] ?? "");
  if (gid === undefined)
    throw new EngineError(`unable to find group ${name}: no matching entries in group file`, 126);
  return gid;
}

function memberships(name: string, group: string): number[] {
  const listed = entries(group).filter((fields) => (fields[3] ?? "").split(",").includes(name));
  return [...new Set(listed.flatMap((fields) => idNumber(fields[2] ?? "") ?? []))];
}

function entries(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

function idNumber(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const id = Number(text);
  if (id > MAX_ID) throw new EngineError(`invalid user or group id ${text}: the largest is ${MAX_ID}`);
  return id;
}

/** resolveUser with the files inside the root that `root` is open on; links in the image do not lead out. */
export function resolveUserIn(root: number, user: string): Identity {
  return resolveUser(user, readIn(root, "/etc/passwd"), readIn(root, "/etc/group"));
}

const decoder = new TextDecoder();

function readIn(root: number, path: string): string {
  let fd: number;
  try {
    // not to wait for the writer of a FIFO that an image put there
    fd = openIn(root, path, O.RDONLY | O.NONBLOCK);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENXIO")) return "";
    throw error;
  }
  try {
    return decoder.decode(readAll(fd, LIMIT));
  } catch (error) {
    if (isErrno(error, "EISDIR", "EAGAIN", "EFBIG")) return "";
    throw error;
  } finally {
    close(fd);
  }
}
