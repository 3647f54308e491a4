import type { MountWish, Tmpfs, VolumesFrom } from "../container/mount-wish.ts";
import type { Volume } from "../container/record.ts";
import type { Parsed } from "./command.ts";
import { UsageError } from "./errors.ts";
import { checkDriver, parseMount } from "./mount.ts";
import { parseTmpfs } from "./tmpfs.ts";
import { anonymousPlace, parseVolume } from "./volume.ts";

/** The mounts that -v, --mount, --tmpfs and --volumes-from ask for. Throws UsageError. */
export function readMounts(input: Parsed): {
  readonly volumes: readonly Volume[];
  readonly mounts: MountWish;
} {
  const cwd = process.cwd();
  checkDriver(input.text("volume-driver") ?? "", (why) => new UsageError(why));
  const given = input.list("volume").map((text) => ({ text, place: anonymousPlace(text) }));
  const anonymous = given.flatMap(({ place }) => place ?? []);
  const binds = given.flatMap(({ text, place }) => (place === undefined ? [parseVolume(text, cwd)] : []));
  const mounts = input.list("mount").map((text) => parseMount(text, cwd));
  const tmpfs = input.list("tmpfs").map(parseTmpfs);
  const from = input.list("volumes-from");
  const volumes = [...binds, ...mounts.flatMap(({ volume }) => volume ?? [])];
  const memory: Tmpfs[] = [
    ...tmpfs.map(({ mount }) => mount),
    ...mounts.flatMap((mount) => mount.tmpfs ?? []),
  ];
  refuseDuplicates([...volumes, ...memory]);
  return {
    volumes,
    mounts: {
      tmpfs: memory,
      from: from.map(parseVolumesFrom),
      asked: {
        ...(binds.length > 0 && { binds: binds.map(bindText) }),
        ...(mounts.length > 0 && { mounts: mounts.map(({ asked }) => asked) }),
        ...(tmpfs.length > 0 && {
          tmpfs: Object.fromEntries(tmpfs.map(({ mount, text }) => [mount.destination, text])),
        }),
        ...(from.length > 0 && { volumesFrom: from }),
        ...(anonymous.length > 0 && { anonymous: [...new Set(anonymous)] }),
      },
    },
  };
}

function refuseDuplicates(mounts: readonly { readonly destination: string }[]): void {
  const taken = new Set<string>();
  for (const { destination } of mounts) {
    if (taken.has(destination)) throw new UsageError(`Duplicate mount point: ${destination}: give it once`);
    taken.add(destination);
  }
}

function bindText({ name, source, destination, mode }: Volume): string {
  return `${name ?? source}:${destination}${mode ? `:${mode}` : ""}`;
}

/** CONTAINER[:ro|rw|z|Z]. */
export function parseVolumesFrom(text: string): VolumesFrom {
  const colon = text.indexOf(":");
  const container = colon < 0 ? text : text.slice(0, colon);
  const mode = colon < 0 ? "rw" : text.slice(colon + 1);
  if (container === "")
    throw new UsageError(`invalid volumes-from specification: '${text}': name a container`);
  // what labels would say there is no SELinux for, as with -v
  if (!/^(ro|rw|z|Z)$/.test(mode))
    throw new UsageError(`invalid mode: ${mode}: in --volumes-from '${text}' it is ro or rw`);
  return { container, readOnly: mode === "ro" };
}
