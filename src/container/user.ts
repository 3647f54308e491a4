import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close, O, open, openIn, readAll } from "../linux/file.ts";
import { fdPath } from "../linux/mount.ts";
import { fstat, isKernels, isRegular } from "../linux/stat.ts";

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
 * is always an id, even unlisted; supplementary groups only where no group was given, but always the group itself: what
 * may be denied to a group must not be allowed to one who could leave it (CVE-2022-36109). `more` are groups by name or number.
 */
export function resolveUser(
  user: string,
  passwd: string,
  group: string,
  more: readonly string[] = [],
): Identity {
  const colon = user.indexOf(":");
  const who = (colon < 0 ? user : user.slice(0, colon)) || "0";
  const withGroup = colon < 0 ? undefined : user.slice(colon + 1) || undefined;
  const number = idNumber(who);
  const entry = entries(passwd).find((fields) =>
    number === undefined ? fields[0] === who : fields[2] === String(number),
  );
  const uid = number ?? idNumber(entry?.[2] ?? "");
  if (uid === undefined)
    throw new EngineError(`unable to find user ${who}: no matching entries in passwd file`);
  const gid = withGroup ? resolveGroup(withGroup, group) : (idNumber(entry?.[3] ?? "") ?? 0);
  const home = entry?.[5] || "/";
  return {
    uid,
    gid,
    home,
    groups: [
      ...new Set([
        gid,
        ...(withGroup === undefined && entry ? memberships(entry[0] ?? "", group) : []),
        ...more.map((name) => resolveGroup(name, group)),
      ]),
    ],
  };
}

function resolveGroup(name: string, group: string): number {
  const gid = idNumber(name) ?? idNumber(entries(group).find((fields) => fields[0] === name)?.[2] ?? "");
  if (gid === undefined)
    throw new EngineError(`unable to find group ${name}: no matching entries in group file`);
  return gid;
}

function memberships(name: string, group: string): number[] {
  const listed = entries(group).filter((fields) => (fields[3] ?? "").split(",").includes(name));
  return listed.flatMap((fields) => idNumber(fields[2] ?? "") ?? []);
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
export function resolveUserIn(root: number, user: string, more: readonly string[] = []): Identity {
  return resolveUser(user, readIn(root, "/etc/passwd"), readIn(root, "/etc/group"), more);
}

const decoder = new TextDecoder();

/**
 * A file of the container's own, read by the host's root: so it must be a plain one, on a file system that only stores
 * (opening a device or a file of /proc can do something), and is first opened as a path, which does nothing. What is none
 * counts as empty.
 */
function readIn(root: number, path: string): string {
  let place: number | undefined;
  let fd: number | undefined;
  try {
    place = openIn(root, path, O.PATH);
    if (!isRegular(fstat(place)) || isKernels(place)) return "";
    fd = open(fdPath(place), O.RDONLY | O.NONBLOCK | O.NOCTTY);
    return decoder.decode(readAll(fd, LIMIT));
  } catch (error) {
    if (error instanceof SysError) return "";
    throw error;
  } finally {
    for (const one of [place, fd]) if (one !== undefined) close(one);
  }
}
