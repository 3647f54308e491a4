import type { Volume } from "../container/record.ts";
import { normalizePath } from "../linux/text.ts";
import { PROPAGATIONS, toDestination } from "./destination.ts";
import { UsageError } from "./errors.ts";

type Wrong = (why: string) => UsageError;

function wrongIn(text: string): Wrong {
  return (why) => new UsageError(`invalid volume specification: '${text}': ${why}`);
}

/** -v /PATH alone: where a volume without a name is to be. Undefined for anything else. */
export function anonymousPlace(text: string): string | undefined {
  return text !== "" && !text.includes(":") ? toDestination(text, wrongIn(text)) : undefined;
}

/**
 * -v SOURCE:CONTAINER[:OPTIONS]. SOURCE is a path of the host, absolute or starting with `.` and below `cwd`; or the name of a
 * volume.
 */
export function parseVolume(text: string, cwd: string): Volume {
  const wrong = wrongIn(text);
  const parts = text.split(":");
  const [source = "", place = "", mode] = parts;
  if (parts.length < 2 || parts.length > 3 || source === "" || place === "" || mode === "")
    throw wrong("use HOST:CONTAINER, VOLUME:CONTAINER, or CONTAINER alone, with :ro behind the first two");
  const destination = toDestination(place, wrong);
  const options = readOptions(mode, wrong);
  const written = mode === undefined ? {} : { mode };
  if (/^[/.]/.test(source)) {
    if (options.noCopy) throw wrong("'nocopy' is for volumes: the host's folder is never copied to");
    const path = normalizePath(source.startsWith("/") ? source : `${cwd}/${source}`);
    return { source: path, destination, ...options, ...written };
  }
  if (options.propagation !== undefined) throw wrong(`'${options.propagation}' is for folders of the host`);
  return { source: "", name: source, destination, ...options, ...written };
}

type Options = Pick<Volume, "readOnly" | "propagation" | "noCopy">;

function readOptions(options: string | undefined, wrong: Wrong): Options {
  const seen = new Map<string, string>();
  for (const option of options?.split(",") ?? []) {
    const kind = kindOf(option);
    if (kind === undefined) throw wrong(`unknown option '${option}'`);
    if (seen.has(kind)) throw wrong(`'${seen.get(kind)}' and '${option}' exclude each other`);
    seen.set(kind, option);
  }
  const propagation = seen.get("propagation");
  return {
    readOnly: seen.get("mode") === "ro",
    ...(propagation !== undefined && { propagation }),
    ...(seen.has("copy") && { noCopy: true }),
  };
}

function kindOf(option: string): string | undefined {
  if (option === "ro" || option === "rw") return "mode";
  if (PROPAGATIONS.has(option)) return "propagation";
  if (option === "nocopy") return "copy";
  // as Docker: it is for virtual machines
  if (/^(consistent|cached|delegated)$/.test(option)) return "consistency";
  // there is no SELinux to label for
  return /^[zZ]$/.test(option) ? "label" : undefined;
}
