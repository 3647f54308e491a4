import { readText } from "./file.ts";

/** The capabilities that this process may use, as a mask (proc_pid_status(5), CapPrm). */
export function ownCapabilities(): bigint {
  const [, hex = "0"] = /^CapPrm:\s*([0-9a-f]+)$/m.exec(readText("/proc/self/status")) ?? [];
  return BigInt(`0x${hex}`);
}
