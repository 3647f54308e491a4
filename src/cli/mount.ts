import type { Tmpfs } from "../container/mount-wish.ts";
import type { Volume } from "../container/record.ts";
import { normalizePath } from "../linux/text.ts";
import { csvFields } from "./csv.ts";
import { PROPAGATIONS, toDestination } from "./destination.ts";
import { UsageError } from "./errors.ts";
import { splitLabel } from "./labels.ts";
import { mergeOptions } from "./tmpfs.ts";
import { parseSize } from "./units.ts";

type Wrong = (why: string) => UsageError;

/** --mount as it was written: each key with its last value; those that stand alone are "true". */
interface Fields {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency?: string;
  readonly bind: { propagation?: string; nonRecursive?: boolean; writable?: boolean; readOnly?: boolean };
  readonly volume: { noCopy?: boolean; labels?: Record<string, string>; subpath?: string };
  readonly memory: { size?: number; mode?: string };
}

/** What one --mount asks for: a bind or volume, or a file system in memory; and as `inspect` shows it. */
export interface Mount {
  readonly volume?: Volume;
  readonly tmpfs?: Tmpfs;
  readonly asked: object;
}

/** --mount KEY=VALUE,… as Docker reads it. A relative source that begins with `.` is below `cwd`. Throws UsageError. */
export function parseMount(text: string, cwd: string): Mount {
  const wrong: Wrong = (why) => new UsageError(`invalid argument "${text}" for "--mount" flag: ${why}`);
  const fields = readFields(text, wrong);
  checkMixed(fields, wrong);
  checkRecursion(fields, wrong);
  const invalid: Wrong = (why) => new UsageError(`invalid mount config for type "${fields.type}": ${why}`);
  if (fields.target === "") throw wrong("target is required");
  const destination = toDestination(fields.target, invalid);
  switch (fields.type) {
    case "bind":
      return bindOf(fields, destination, cwd, invalid);
    case "volume":
      return volumeOf(fields, destination, invalid);
    case "tmpfs":
      return tmpfsOf(fields, destination, invalid);
    default:
      throw new UsageError(`mount type "${fields.type}" unknown: it is bind, volume or tmpfs`);
  }
}

/** Keys that may stand alone. */
const ALONE = new Set(["readonly", "ro", "volume-nocopy", "bind-nonrecursive"]);

function readFields(text: string, wrong: Wrong): Fields {
  if (text.trim() === "") throw wrong("value is empty");
  const read: { -readonly [K in keyof Fields]: Fields[K] } = {
    ...{ type: "volume", source: "", target: "", readOnly: false },
    ...{ bind: {}, volume: {}, memory: {} },
  };
  for (const field of csvFields(text.trim(), wrong)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (equals < 0 && !ALONE.has(key)) throw wrong(`invalid field '${field}' must be a key=value pair`);
    const value = equals < 0 ? "true" : field.slice(equals + 1);
    if (key.startsWith("bind-")) readBind(read.bind, key, value, field, wrong);
    else if (key.startsWith("volume-")) readVolume(read.volume, key, value, field, wrong);
    else if (key.startsWith("tmpfs-")) readMemory(read.memory, key, value, field, wrong);
    else if (key === "type") read.type = value.toLowerCase();
    else if (key === "source" || key === "src") read.source = value;
    else if (key === "target" || key === "dst" || key === "destination") read.target = value;
    else if (key === "readonly" || key === "ro") read.readOnly = toBoolean(key, value, wrong);
    else if (key === "consistency") read.consistency = toConsistency(value, wrong);
    else throw wrong(`unexpected key '${key}' in '${field}'`);
  }
  if (read.type === "") throw wrong("type is required");
  return read;
}

/** Go's strconv.ParseBool. */
function toBoolean(key: string, value: string, wrong: Wrong): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw wrong(`invalid value for ${key}: ${value}`);
}

/** It says how a virtual machine's files follow the host's: here they are the same. */
function toConsistency(value: string, wrong: Wrong): string {
  if (/^(|default|consistent|cached|delegated)$/.test(value)) return value;
  throw wrong(`invalid value for consistency: ${value} (it is consistent, cached or delegated)`);
}

function readBind(bind: Fields["bind"], key: string, value: string, field: string, wrong: Wrong): void {
  if (key === "bind-propagation") {
    if (!PROPAGATIONS.has(value.toLowerCase())) throw wrong(`invalid value for ${key}: ${value}`);
    bind.propagation = value.toLowerCase();
  } else if (key === "bind-nonrecursive") bind.nonRecursive = toBoolean(key, value, wrong);
  else if (key !== "bind-recursive") throw wrong(`unexpected key '${key}' in '${field}'`);
  else if (value === "disabled") bind.nonRecursive = true;
  else if (value === "writable") bind.writable = true;
  else if (value === "readonly") bind.readOnly = true;
  else if (value !== "enabled")
    throw wrong(
      `invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
    );
}

function readVolume(volume: Fields["volume"], key: string, value: string, field: string, wrong: Wrong): void {
  if (key === "volume-nocopy") volume.noCopy = toBoolean(key, value, wrong);
  else if (key === "volume-label") {
    const [name, text] = splitLabel(value);
    volume.labels = { ...volume.labels, [name]: text };
  } else if (key === "volume-subpath") volume.subpath = value;
  else if (key === "volume-driver") {
    checkDriver(value, wrong);
    // said, if in vain: with another type it is an error
    volume.noCopy ??= false;
  } else if (key === "volume-opt")
    throw wrong(`volume-opt '${value}' is not supported: volumes are folders, without options`);
  else throw wrong(`unexpected key '${key}' in '${field}'`);
}

/** What keeps volumes: only we do. */
export function checkDriver(driver: string, wrong: (why: string) => UsageError): void {
  if (driver === "" || driver === "local") return;
  throw wrong(`error looking up volume plugin ${driver}: plugin "${driver}" not found: there is local only`);
}

function readMemory(memory: Fields["memory"], key: string, value: string, field: string, wrong: Wrong): void {
  const invalid = (): UsageError => wrong(`invalid value for ${key}: ${value}`);
  if (key === "tmpfs-size") {
    try {
      memory.size = parseSize(value);
    } catch {
      throw invalid();
    }
  } else if (key === "tmpfs-mode") {
    if (!/^[0-7]{1,5}$/.test(value) || Number.parseInt(value, 8) > 0o7777) throw invalid();
    memory.mode = value;
  } else throw wrong(`unexpected key '${key}' in '${field}'`);
}

function checkMixed({ type, bind, volume, memory }: Fields, wrong: Wrong): void {
  for (const [kind, options] of Object.entries({ bind, volume, tmpfs: memory }))
    if (kind !== type && Object.keys(options).length > 0)
      throw wrong(`cannot mix '${kind}-*' options with mount type '${type}'`);
}

function checkRecursion({ bind, readOnly }: Fields, wrong: Wrong): void {
  const needs = (mode: string, what: string): UsageError =>
    wrong(`option 'bind-recursive=${mode}' requires '${what}' to be specified in conjunction`);
  if (bind.writable && !readOnly) throw needs("writable", "readonly");
  if (bind.readOnly && !readOnly) throw needs("readonly", "readonly");
  if (bind.readOnly && bind.propagation !== "rprivate") throw needs("readonly", "bind-propagation=rprivate");
}

/** What `inspect` shows of every kind. */
function shown({ type, source, readOnly, consistency }: Fields, target: string): object {
  return {
    Type: type,
    ...(source !== "" && { Source: source }),
    Target: target,
    ...(readOnly && { ReadOnly: true }),
    ...(consistency && { Consistency: consistency }),
  };
}

function bindOf(fields: Fields, destination: string, cwd: string, invalid: Wrong): Mount {
  const { bind, readOnly } = fields;
  if (fields.source === "") throw invalid("field Source must not be empty");
  const relative = fields.source === "." || fields.source.startsWith("./");
  if (!relative && !fields.source.startsWith("/"))
    throw invalid(`invalid mount path: '${fields.source}' mount path must be absolute`);
  const source = normalizePath(relative ? `${cwd}/${fields.source}` : fields.source);
  const options = {
    ...(bind.propagation !== undefined && { Propagation: bind.propagation }),
    ...(bind.nonRecursive && { NonRecursive: true }),
    ...(bind.writable && { ReadOnlyNonRecursive: true }),
    ...(bind.readOnly && { ReadOnlyForceRecursive: true }),
  };
  return {
    volume: {
      source,
      destination,
      readOnly,
      mustExist: true,
      ...(bind.propagation !== undefined && { propagation: bind.propagation }),
      ...(bind.nonRecursive ? { below: "none" } : bind.writable ? { below: "writable" } : {}),
    },
    asked: {
      ...shown({ ...fields, source }, destination),
      ...(Object.keys(options).length > 0 && { BindOptions: options }),
    },
  };
}

function volumeOf(fields: Fields, destination: string, invalid: Wrong): Mount {
  const { source, readOnly, volume } = fields;
  const { noCopy, labels, subpath } = volume;
  if (subpath !== undefined && (subpath.startsWith("/") || subpath.split("/").includes("..")))
    throw invalid(`subpath must be a relative path within the volume: '${subpath}'`);
  const options = {
    ...(noCopy && { NoCopy: true }),
    ...(labels && { Labels: labels }),
    ...(subpath && { Subpath: subpath }),
  };
  return {
    volume: {
      source: "",
      name: source,
      destination,
      readOnly,
      ...(noCopy && { noCopy }),
      ...(labels && { labels }),
      ...(subpath && { subpath }),
    },
    asked: {
      ...shown(fields, destination),
      ...(Object.keys(options).length > 0 && { VolumeOptions: options }),
    },
  };
}

function tmpfsOf(fields: Fields, destination: string, invalid: Wrong): Mount {
  const { source, readOnly, memory } = fields;
  if (source !== "") throw invalid("field Source must not be specified");
  const given = [
    ...(readOnly ? ["ro"] : []),
    ...(memory.size ? [`size=${memory.size}`] : []),
    ...(memory.mode !== undefined ? [`mode=${memory.mode}`] : []),
  ];
  const options = {
    ...(memory.size && { SizeBytes: memory.size }),
    ...(memory.mode !== undefined && { Mode: Number.parseInt(memory.mode, 8) }),
  };
  return {
    tmpfs: { destination, options: mergeOptions(given, invalid), shown: true },
    asked: {
      ...shown(fields, destination),
      ...(Object.keys(options).length > 0 && { TmpfsOptions: options }),
    },
  };
}
