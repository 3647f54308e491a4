import { errno, SYS, syscall } from "./libc.ts";

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const EFAULT = 14;

/** Whether this kernel filters system calls (prctl(2): no filter at all is refused in one way, no support in another). */
export function hasSeccomp(): boolean {
  return syscall(SYS.prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 0) < 0 && errno() === EFAULT;
}
