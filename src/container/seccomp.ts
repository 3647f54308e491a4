import { EngineError } from "../linux/errors.ts";
import { readText } from "../linux/file.ts";
import { archesOf, compileProfile } from "../runtime/seccomp/compile.ts";
import { defaultProfile } from "../runtime/seccomp/default.ts";
import { readDockerProfile } from "../runtime/seccomp/docker-profile.ts";
import { encodeFilter } from "../runtime/seccomp/filter.ts";

const MACHINE = process.arch === "arm64" ? "arm64" : "x64";

/**
 * A filter for these capabilities (CAP_…), as the spec carries it: of a profile in Docker's JSON format, or of the default one.
 * Throws EngineError on a profile that is none.
 */
export function filterFor(capabilities: readonly string[], profile: string | undefined): string {
  const read =
    profile === undefined
      ? { ...defaultProfile(MACHINE, capabilities), arches: archesOf(MACHINE) }
      : readDockerProfile(profile, {
          machine: MACHINE,
          capabilities,
          kernel: readText("/proc/sys/kernel/osrelease"),
        });
  try {
    return encodeFilter(compileProfile(read, read.arches));
  } catch (error) {
    if (error instanceof RangeError)
      throw new EngineError(`cannot use the seccomp profile: ${error.message}`);
    throw error;
  }
}
