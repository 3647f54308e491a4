import { isErrno } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { readTextIfAny } from "../linux/file.ts";
import { listFolder } from "../linux/folder.ts";
import { isDirectory, lstatIfAny } from "../linux/stat.ts";

/** A volume as it was made, kept in ROOT/volumes/NAME/record.json; what is in it lies beside that, in _data. */
export interface VolumeRecord {
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The label by which Docker knows a volume that nobody has named. */
export const ANONYMOUS = "com.docker.volume.anonymous";
/** It is the name of a folder; and what begins with a dot in there is on its way in or out. */
const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
const LONGEST_NAME = 255;

/** Where volumes are kept. */
export class VolumePaths {
  constructor(readonly root: string) {}

  get volumes(): string {
    return `${this.root}/volumes`;
  }
  /** What makes a folder a volume is its `_data`; who holds the lock on the folder decides about it. */
  volume(name: string): string {
    return `${this.volumes}/${name}`;
  }
  /** What containers see. */
  data(name: string): string {
    return `${this.volume(name)}/_data`;
  }
  record(name: string): string {
    return `${this.volume(name)}/record.json`;
  }
}

/** There is no volume of that name. */
export class NoSuchVolume extends EngineError {
  constructor(name: string) {
    super(`get ${name}: no such volume: 'mydocker volume ls' lists them`, 1);
  }
}

/** Throws EngineError for what cannot be the name of a volume. */
export function checkVolumeName(name: string, exitCode = 125): void {
  const wrong = (why: string): EngineError => new EngineError(`create ${name}: ${why}`, exitCode);
  if (name.length === 1)
    throw wrong("volume name is too short, names should be at least two alphanumeric characters");
  if (!VOLUME_NAME.test(name))
    throw wrong(
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  if (name.length > LONGEST_NAME)
    throw wrong(`volume name is too long, names have ${LONGEST_NAME} characters at most`);
}

/** A name for a volume that was not given one. */
export function newVolumeName(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/**
 * The volume of that name; undefined where there is none. It is there with its folder: a record that was lost, or cut short
 * by a power cut, costs no more than what it says.
 */
export function readVolume(paths: VolumePaths, name: string): VolumeRecord | undefined {
  if (!VOLUME_NAME.test(name) || name.length > LONGEST_NAME) return undefined;
  const data = lstatIfAny(paths.data(name));
  if (data === undefined || !isDirectory(data)) return undefined;
  return (
    readRecord(paths, name) ?? {
      name,
      created: new Date(Number(data.ctime / 1_000_000n)).toISOString(),
      labels: {},
    }
  );
}

function readRecord(paths: VolumePaths, name: string): VolumeRecord | undefined {
  try {
    const { created, labels } = JSON.parse(readTextIfAny(paths.record(name)) ?? "null") ?? {};
    if (typeof created !== "string" || typeof labels !== "object" || labels === null) return undefined;
    const texts = Object.entries(labels).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    return { name, created, labels: Object.fromEntries(texts) };
  } catch (error) {
    if (error instanceof SyntaxError || isErrno(error, "EISDIR")) return undefined;
    throw error;
  }
}

/** Every volume there is, by name. */
export function listVolumes(paths: VolumePaths): VolumeRecord[] {
  const names = listFolder(paths.volumes).map(({ name }) => name);
  return names.sort().flatMap((name) => readVolume(paths, name) ?? []);
}

/** The volume of that name. Throws NoSuchVolume. */
export function findVolume(paths: VolumePaths, name: string): VolumeRecord {
  const found = readVolume(paths, name);
  if (found) return found;
  throw new NoSuchVolume(name);
}
