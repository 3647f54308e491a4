import type { CreateOptions } from "../container/create.ts";
import type { Security } from "../container/security.ts";
import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { readText } from "../linux/file.ts";
import { hasAppArmor } from "../linux/lsm.ts";
import { normalizeCapability } from "../runtime/capabilities.ts";
import type { Flag, Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";

/** The flags that say how far a container is confined. */
export const securityFlags: readonly Flag[] = [
  { name: "cap-add", kind: "list", value: "CAPABILITY", help: "Give it a capability more, or ALL" },
  { name: "cap-drop", kind: "list", value: "CAPABILITY", help: "Take a capability from it, or ALL" },
  { name: "privileged", kind: "bool", help: "No confinement but for the namespaces, and all devices" },
  {
    name: "security-opt",
    kind: "list",
    value: "OPTION",
    help: "no-new-privileges, seccomp=FILE|unconfined, systempaths=unconfined, …",
  },
  { name: "group-add", kind: "list", value: "GROUP", help: "One more group of its processes" },
];

/** As long as a profile may be, in letters; Docker's has 13,000. */
const LONGEST_PROFILE = 1 << 20;

/** What the flags ask for; nothing where none is given. Throws UsageError. */
export function readSecurity(input: Parsed): Pick<CreateOptions, "security" | "seccomp"> {
  const options = input.list("security-opt");
  const capAdd = input.list("cap-add").map(readCapability);
  const capDrop = input.list("cap-drop").map(readCapability);
  const groups = input.list("group-add");
  const privileged = input.bool("privileged");
  if (!privileged && options.length + capAdd.length + capDrop.length + groups.length === 0) return {};
  const security: { -readonly [K in keyof Security]: Security[K] } = {
    ...(privileged && { privileged }),
    ...(capAdd.length > 0 && { capAdd }),
    ...(capDrop.length > 0 && { capDrop }),
    ...(groups.length > 0 && { groups }),
    ...(options.length > 0 && { options }),
  };
  let seccomp: string | undefined = privileged ? "unconfined" : undefined;
  for (const option of options) {
    const [, key = "", value] = /^([^=:]*)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === "no-new-privileges") {
      if (readSwitch(option, value)) security.noNewPrivileges = true;
      else delete security.noNewPrivileges;
    } else if (key === "writable-cgroups") {
      if (readSwitch(option, value)) security.writableCgroups = true;
      else delete security.writableCgroups;
    } else if (key === "apparmor" && value && value !== "unconfined") security.apparmor = readProfile(value);
    else if (key === "seccomp" && value) seccomp = readSeccomp(value);
    else if (key === "systempaths" && value === "unconfined") security.openSystemPaths = true;
    else if (!isUnconfined(key, value)) throw refused(option, key, value);
  }
  return { security, ...(seccomp !== undefined && { seccomp }) };
}

function readCapability(text: string): string {
  const name = normalizeCapability(text);
  if (name === undefined)
    throw new UsageError(`invalid capability: unknown capability: "${text}": see capabilities(7)`);
  return name;
}

function readSwitch(option: string, value: string | undefined): boolean {
  if (value === undefined || value === "true") return true;
  if (value === "false") return false;
  throw new UsageError(`invalid --security-opt: "${option}": it is true or false`);
}

/** What asks for no more than there is: we set no such labels. */
function isUnconfined(key: string, value: string | undefined): boolean {
  return (key === "apparmor" && value === "unconfined") || (key === "label" && value === "disable");
}

function refused(option: string, key: string, value: string | undefined): Error {
  if (key === "label" && value)
    return new EngineError(`--security-opt ${option}: labels of SELinux are not supported yet`);
  return new UsageError(`invalid --security-opt: "${option}"`);
}

/** The kernel is told the profile's name in a line of its own (apparmor(7)). */
function readProfile(name: string): string {
  if (!hasAppArmor())
    throw new EngineError(
      `cannot use the AppArmor profile ${name}: AppArmor is not on in this host's kernel`,
    );
  for (const letter of name)
    if (letter < " ") throw new UsageError(`invalid AppArmor profile ${JSON.stringify(name)}`);
  return name;
}

function readSeccomp(value: string): string {
  if (value === "unconfined") return "unconfined";
  if (value === "builtin") return "default";
  const failed = (why: string): EngineError =>
    new EngineError(`opening seccomp profile (${value}) failed: ${why}`);
  try {
    const text = readText(value);
    if (text.length > LONGEST_PROFILE) throw failed("it is longer than 1 MB");
    return text;
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    throw failed(error.code === "ENOENT" ? "no such file or directory" : error.message);
  }
}
