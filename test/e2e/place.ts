/** Where the suite works: one executable, and folders of its own so that nobody's containers are touched. */
const REPO = new URL("../..", import.meta.url).pathname;
/** The executable under test, or another that $MYDOCKER names. */
export const BINARY = process.env.MYDOCKER ?? `${REPO}dist/mydocker`;
/** One pair of folders for all test files of one process; in the virtual machine /var/lib/mydocker is the tmpfs. */
export const ROOT = `/var/lib/mydocker${process.env.MYDOCKER_VM ? "/" : "-"}test-${process.pid}`;
export const RUN = `/run/mydocker-test-${process.pid}`;
export const ENV: Record<string, string> = {
  PATH: process.env.PATH ?? "",
  HOME: "/root",
  MYDOCKER_ROOT: ROOT,
  MYDOCKER_RUN: RUN,
};
