import { ownCapabilities } from "../linux/capability.ts";
import { EngineError } from "../linux/errors.ts";
import { ALL_CAPABILITIES, capabilityMask, DEFAULT_CAPABILITIES } from "../runtime/capabilities.ts";

/** Where a container is less confined than by default, or more; only what was asked for. */
export interface Security {
  readonly privileged?: true;
  /** `CAP_…`, or `ALL`. */
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  /** As they were given, for inspect. */
  readonly options?: readonly string[];
  readonly noNewPrivileges?: true;
  /** A profile that the host has loaded. */
  readonly apparmor?: string;
  /** What is masked and read-only in /proc and /sys is not. */
  readonly openSystemPaths?: true;
  readonly writableCgroups?: true;
  /** More groups of its processes: names of the container's, or numbers. */
  readonly groups?: readonly string[];
}

/**
 * The bounding set of a container, as Docker makes it: what is added counts before what is dropped where the other is ALL. Throws
 * EngineError on one that is to be added and that we do not have ourselves.
 */
export function capabilitiesOf(security: Security | undefined): readonly string[] {
  if (!security) return DEFAULT_CAPABILITIES;
  const { privileged, capAdd = [], capDrop = [] } = security;
  if (privileged) return ours();
  if (capAdd.length + capDrop.length === 0) return DEFAULT_CAPABILITIES;
  const added = capAdd.filter((name) => name !== "ALL");
  if (added.length > 0) {
    const have = ours();
    for (const name of added)
      if (!have.includes(name) && !capDrop.includes(name))
        throw new EngineError(`cannot add ${name}: this program does not have it itself`);
  }
  if (capAdd.includes("ALL")) return ours().filter((name) => !capDrop.includes(name));
  if (capDrop.includes("ALL")) return added;
  const kept = DEFAULT_CAPABILITIES.filter((name) => !capDrop.includes(name));
  return [...kept, ...added.filter((name) => !kept.includes(name) && !capDrop.includes(name))];
}

function ours(): string[] {
  const have = ownCapabilities();
  return ALL_CAPABILITIES.filter((name) => (capabilityMask([name]) & have) !== 0n);
}
