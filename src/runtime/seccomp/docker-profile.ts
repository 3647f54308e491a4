import { EngineError } from "../../linux/errors.ts";
import { archesOf } from "./compile.ts";
import type { Arch } from "./numbers.ts";
import type { Action, Condition, Operator, Profile, Rule } from "./profile.ts";

/** What decides which of a profile's rules are for this container. */
export interface Where {
  readonly machine: "x64" | "arm64";
  /** The container's bounding set, CAP_…. */
  readonly capabilities: readonly string[];
  /** `6.1.0-13-amd64`. */
  readonly kernel: string;
}

const ACTIONS = ["ALLOW", "ERRNO", "KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP", "TRACE", "LOG"] as const;
const OPERATORS = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"] as const;
const FAMILIES = ["X86_64", "X86", "X32", "AARCH64", "ARM"] as const;
/** What the filter is installed with anyway. */
const FLAGS = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
const GO_NAME = { x64: "amd64", arm64: "arm64" } as const;

type Fields = Readonly<Record<string, unknown>>;

function wrong(what: string): EngineError {
  return new EngineError(`cannot use the seccomp profile: ${what}`);
}

/**
 * A profile in the format of Docker's (moby/profiles, seccomp.go) or the OCI runtime spec's JSON: the rules that are for this
 * machine and these capabilities. Throws EngineError on what it cannot read or cannot do.
 */
export function readDockerProfile(
  text: string,
  where: Where,
): Profile & { readonly arches: readonly Arch[] } {
  const profile = fieldsOf(parse(text), "it is not an object");
  if (profile.listenerPath !== undefined) throw wrong("listenerPath is not supported");
  for (const flag of listOf(profile.flags, "flags"))
    if (!FLAGS.includes(String(flag))) throw wrong(`the flag ${JSON.stringify(flag)} is not supported`);
  return {
    defaultAction: actionOf(profile.defaultAction),
    ...errnoOf(profile.defaultErrnoRet, "defaultErrno"),
    arches: familiesOf(profile, where.machine),
    rules: listOf(profile.syscalls, "syscalls").flatMap((one) => rulesOf(one, where)),
  };
}

/** Arguments have 64 bits, which JavaScript's numbers do not have. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text, (key: string, value: unknown, context?: { source?: string }) =>
      (key === "value" || key === "valueTwo") && typeof value === "number"
        ? toBigInt(context?.source ?? String(value))
        : value,
    );
  } catch (error) {
    throw wrong(`decoding failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function toBigInt(source: string): bigint {
  if (!/^[0-9]{1,20}$/.test(source) || BigInt(source) >= 1n << 64n)
    throw new RangeError(`${source} is not an unsigned number of 64 bits`);
  return BigInt(source);
}

function fieldsOf(value: unknown, why: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(why);
}

function listOf(value: unknown, name: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw wrong(`${name} is not a list`);
}

function oneOf<T extends string>(value: unknown, prefix: string, all: readonly T[], what: string): T {
  const found = all.find((one) => `${prefix}${one}` === value);
  if (found === undefined) throw wrong(`${what} ${JSON.stringify(value) ?? "nothing"} is not supported`);
  return found;
}

function actionOf(value: unknown): Action {
  return oneOf(value, "SCMP_ACT_", ACTIONS, "the action");
}

function errnoOf<K extends string>(value: unknown, key: K): { [P in K]?: number } {
  if (value === undefined || value === null) return {};
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffff)
    return { [key]: value } as { [P in K]?: number };
  throw wrong(`${JSON.stringify(value)} is no errno`);
}

/** This machine, and those of its 32-bit ones that are named. */
function familiesOf({ architectures, archMap }: Fields, machine: Where["machine"]): Arch[] {
  const known = archesOf(machine);
  const named = listOf(architectures, "architectures");
  const maps = listOf(archMap, "archMap");
  if (named.length > 0 && maps.length > 0)
    throw wrong("both 'architectures' and 'archMap' are specified, use either of them");
  const subs = maps.flatMap((one) => {
    const { architecture, subArchitectures } = fieldsOf(one, "archMap has something else than objects");
    return architecture === `SCMP_ARCH_${known[0]}` ? listOf(subArchitectures, "subArchitectures") : [];
  });
  const wanted = new Set([...named, ...subs]);
  return FAMILIES.filter(
    (arch) => arch === known[0] || (known.includes(arch) && wanted.has(`SCMP_ARCH_${arch}`)),
  );
}

function rulesOf(value: unknown, where: Where): Rule[] {
  const rule = fieldsOf(value, "syscalls has something else than objects");
  const { name, names, includes, excludes } = rule;
  if (name !== undefined && names !== undefined && listOf(names, "names").length > 0)
    throw wrong("both 'name' and 'names' are specified, use either of them");
  const filter = (one: unknown): Fields => fieldsOf(one ?? {}, "includes or excludes is not an object");
  if (!isFor(filter(includes), where) || isAgainst(filter(excludes), where)) return [];
  const args = listOf(rule.args, "args").map(conditionOf);
  return [
    {
      names: (name !== undefined ? [name] : listOf(names, "names")).map(String),
      action: actionOf(rule.action),
      ...errnoOf(rule.errnoRet, "errno"),
      ...(args.length > 0 && { args }),
    },
  ];
}

/** All that is named must be so. */
function isFor({ arches, caps, minKernel }: Fields, where: Where): boolean {
  const machines = listOf(arches, "arches");
  if (machines.length > 0 && !machines.includes(GO_NAME[where.machine])) return false;
  if (!listOf(caps, "caps").every((one) => where.capabilities.includes(String(one)))) return false;
  return typeof minKernel !== "string" || isAtLeast(where.kernel, minKernel);
}

/** Any that is named is enough. */
function isAgainst({ arches, caps, minKernel }: Fields, where: Where): boolean {
  return (
    listOf(arches, "arches").includes(GO_NAME[where.machine]) ||
    listOf(caps, "caps").some((one) => where.capabilities.includes(String(one))) ||
    (typeof minKernel === "string" && isAtLeast(where.kernel, minKernel))
  );
}

function isAtLeast(kernel: string, least: string): boolean {
  if (!/^[0-9]+\.[0-9]+$/.test(least)) throw wrong(`minKernel ${JSON.stringify(least)} is not MAJOR.MINOR`);
  const [major = 0, minor = 0] = kernel.split(/[^0-9]/).map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = least.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function conditionOf(value: unknown): Condition {
  const { index, op, value: wanted, valueTwo } = fieldsOf(value, "args has something else than objects");
  if (typeof index !== "number" || !Number.isInteger(index) || index < 0 || index > 5)
    throw wrong(`${JSON.stringify(index) ?? "nothing"} is no index of an argument: they are 0 to 5`);
  if (typeof wanted !== "bigint") throw wrong("an argument has no value to be compared with");
  const operator: Operator = oneOf(op, "SCMP_CMP_", OPERATORS, "the comparison");
  return { index, op: operator, value: wanted, ...(typeof valueTwo === "bigint" && { valueTwo }) };
}
