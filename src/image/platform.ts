import { EngineError } from "../linux/errors.ts";
import { type ImageDocument, type PlatformDescriptor, show } from "./document.ts";

/** What an image was built for, under the names of Go, as the OCI image-spec has them. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

const NAMES: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x64: ["amd64"],
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  aarch64: ["arm64"],
  i386: ["386"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
};

/** That of this program: it runs what the processor runs. */
export function hostPlatform(): Platform {
  return { os: "linux", architecture: NAMES[process.arch]?.[0] ?? process.arch };
}

/**
 * `--platform`: `OS/ARCH[/VARIANT]`, or one of the first two alone. Throws EngineError for what is none, or is of another
 * system than Linux.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split("/");
  const wrong = (why: string): EngineError =>
    new EngineError(`invalid platform '${text}': ${why}, such as linux/amd64 or linux/arm/v7`);
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw wrong("use OS/ARCH[/VARIANT]");
  const host = hostPlatform();
  if (parts.length === 1 && parts[0] === "linux") return host;
  if (parts.length === 1) parts.unshift("linux");
  const [os = "", given = "", variant] = parts;
  if (os !== "linux") throw wrong(`images of ${os} cannot run on Linux: use linux/ARCH[/VARIANT]`);
  const [architecture, usual] = (Object.hasOwn(NAMES, given) ? NAMES[given] : undefined) ?? [given];
  return normal({ os, architecture, ...((variant ?? usual) && { variant: variant ?? usual ?? "" }) });
}

/** Variants that go without saying are left out. */
function normal({ os, architecture, variant }: Platform): Platform {
  const usual: Readonly<Record<string, string>> = { arm64: "v8", amd64: "v1", arm: "v7" };
  const plain = variant === undefined || variant === "" || usual[architecture] === variant;
  return plain ? { os, architecture } : { os, architecture, variant };
}

/** As people write it. An image may say anything of itself: what is no name is shown as JSON. */
export function platformText({ os, architecture, variant }: Platform): string {
  const parts = [os, architecture, variant].flatMap((part) => part || []);
  return parts.map((part) => (/^[\w.-]{1,40}$/.test(part) ? part : show(part))).join("/");
}

/** How well something built for `built` runs on `wanted`: 0 is best, undefined not at all. */
function distance(built: Platform, wanted: Platform): number | undefined {
  const [a, b] = [normal(built), normal(wanted)];
  if (a.os !== b.os || a.architecture !== b.architecture) return undefined;
  const level = ({ architecture, variant }: Platform): number =>
    Number(/^v?([0-9]+)/.exec(variant ?? { arm: "7", arm64: "8" }[architecture] ?? "1")?.[1] ?? 1);
  const [has, wants] = [level(a), level(b)];
  // an older variant runs on a newer processor, not the other way round
  return has > wants ? undefined : wants - has;
}

/** So many of the platforms that there are fit into a message. */
const MOST_NAMED = 30;

/** The manifest of a list that fits best. Throws EngineError that names what there is. */
export function selectPlatform(list: readonly PlatformDescriptor[], wanted: Platform): PlatformDescriptor {
  let best: PlatformDescriptor | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const one of list) {
    const far = one.platform && distance(one.platform, wanted);
    if (far === undefined || far >= least) continue;
    [best, least] = [one, far];
  }
  // a list of one that says nothing of a platform can only mean that one
  const [only, another] = list;
  if (best === undefined && only !== undefined && another === undefined && only.platform === undefined)
    return only;
  if (best !== undefined) return best;
  const there = list.flatMap(({ platform }) =>
    platform && platform.os !== "unknown" ? [platformText(platform)] : [],
  );
  const names = [...new Set(there)];
  const some = names.slice(0, MOST_NAMED).join(", ") || "none";
  throw new EngineError(
    `no matching manifest for ${platformText(wanted)} in the manifest list entries: there are ${some}${names.length > MOST_NAMED ? ", …" : ""}`,
  );
}

/** Whether an image can run where `wanted` is asked for; one that says nothing can. */
export function fitsPlatform(document: ImageDocument, wanted: Platform): boolean {
  const { os, architecture, variant } = document;
  if (architecture === "") return true;
  return distance({ os, architecture, ...(variant !== undefined && { variant }) }, wanted) !== undefined;
}
