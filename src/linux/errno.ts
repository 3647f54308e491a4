/** errno(3): the names of the error numbers that both x86-64 and arm64 Linux use (asm-generic). */
const NAMES =
  "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP";

const HIGH: Record<number, string> = {
  61: "ENODATA",
  62: "ETIME",
  71: "EPROTO",
  74: "EBADMSG",
  75: "EOVERFLOW",
  88: "ENOTSOCK",
  90: "EMSGSIZE",
  93: "EPROTONOSUPPORT",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  104: "ECONNRESET",
  105: "ENOBUFS",
  107: "ENOTCONN",
  110: "ETIMEDOUT",
  111: "ECONNREFUSED",
  122: "EDQUOT",
};

/** Plain words (strerror(3)) for the codes that a person meets. */
const WORDS: Record<string, string> = {
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  ENOEXEC: "exec format error",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
  ENOTDIR: "not a directory",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EXDEV: "path leads outside of its root",
  ENOMEM: "cannot allocate memory",
  EBUSY: "device or resource busy",
  EINVAL: "invalid argument",
  ENODEV: "no such device",
  ENAMETOOLONG: "file name too long",
  E2BIG: "argument list too long",
  EMFILE: "too many open files",
  EAGAIN: "resource temporarily unavailable",
  EDQUOT: "disk quota exceeded",
  EIO: "input/output error",
  EPIPE: "broken pipe",
  ETXTBSY: "text file busy",
};

const names = NAMES.split(" ");

/** errno number (positive) to its name, `errno 200` when unknown. */
export function errnoName(errno: number): string {
  return names[errno - 1] ?? HIGH[errno] ?? `errno ${errno}`;
}

/** The words of strerror(3) for an errno name, or the name itself. */
export function errnoWords(code: string): string {
  return WORDS[code] ?? code;
}

/** A system call that failed: which one, on what, and the errno by name in `code`. */
export class SysError extends Error {
  override readonly name = "SysError";
  readonly code: string;
  constructor(
    readonly syscall: string,
    readonly detail: string,
    readonly errno: number,
  ) {
    const code = errnoName(errno);
    super(`${syscall}${detail ? ` ${detail}` : ""}: ${code}`);
    this.code = code;
  }
}

/** Whether `error` is a failed system call with one of the named codes. */
export function isErrno(error: unknown, ...codes: string[]): error is SysError {
  return error instanceof SysError && codes.includes(error.code);
}

/** Whether a system call failed for lack of room on a disk. */
export function isDiskFull(error: unknown): boolean {
  return isErrno(error, "ENOSPC", "EDQUOT");
}
