import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { writeInto } from "../linux/file.ts";

/** Sets how ready the kernel is to kill a process where memory is out, -1000 to 1000 (proc(5), oom_score_adj). */
export function setOomScore(pid: number, score: number): void {
  try {
    writeInto(`/proc/${pid}/oom_score_adj`, String(score));
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM")) throw error;
    throw new EngineError(
      `cannot set --oom-score-adj to ${score}: lowering it needs CAP_SYS_RESOURCE, which is not there`,
    );
  }
}
