/** Seccomp as the OCI runtime specification has it (config-linux.md, "Seccomp"), less the SCMP_ in front. */
export type Action = "ALLOW" | "ERRNO" | "KILL" | "KILL_THREAD" | "KILL_PROCESS" | "TRAP" | "TRACE" | "LOG";

/** How an argument is compared. MASKED_EQ: what is left of it under `value` is `valueTwo`. */
export type Operator = "EQ" | "NE" | "LT" | "LE" | "GT" | "GE" | "MASKED_EQ";

export interface Condition {
  /** Which argument of the call, 0 to 5. */
  readonly index: number;
  readonly op: Operator;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  /** Ours: the call takes an int, so that the upper half is not compared either, which could hide the rest. */
  readonly narrow?: boolean;
}

export interface Rule {
  readonly names: readonly string[];
  readonly action: Action;
  /** Of ERRNO, the error; of TRACE, what the tracer is told. Without it EPERM. */
  readonly errno?: number;
  /** All of them must hold. */
  readonly args?: readonly Condition[];
}

/** What a process may ask the kernel for. */
export interface Profile {
  readonly defaultAction: Action;
  readonly defaultErrno?: number;
  readonly rules: readonly Rule[];
}
