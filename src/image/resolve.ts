import { isDiskFull, isErrno, SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { chmod, close, O, open } from "../linux/file.ts";
import { fstat, isRegular, type Stat } from "../linux/stat.ts";
import { syncFilesystem } from "../linux/tree.ts";
import { compileFor } from "./compiled.ts";
import { configOf } from "./config-comment.ts";
import { findImage, hasLayers, toImage } from "./find.ts";
import type { Image } from "./image.ts";
import { type ImageEntry, own, readIndex, updateIndex } from "./index-file.ts";
import { publishLayer } from "./layer-folder.ts";
import { timeText } from "./list.ts";
import { holdExclusive, holdImages } from "./locks.ts";
import { archiveName, archivePath, isArchiveName } from "./name.ts";
import { EMBEDDED_NAME, embeddedId, embeddedSource, sourceOf } from "./origin.ts";
import { ArchiveError } from "./tar/archive-error.ts";
import { dropTemporary, makeTemporary, removeStale } from "./temporary.ts";

/**
 * Unpacks the archive of that whole name, or the embedded one, or waits for who does. Undefined where there is neither.
 * Throws EngineError where the archive is refused.
 */
export async function unpackImage(root: string, run: string, full: string): Promise<Image | undefined> {
  const name = archiveName(full);
  if (name === undefined || !isArchiveName(name)) return undefined;
  const releaseImages = holdImages(run);
  const releaseName = holdExclusive(run, `image-${name}`);
  try {
    const found = findImage(root, full);
    if (found !== undefined) return found;
    removeStale(root, run);
    const made = await makeEntry(root, run, full, name);
    if (made === undefined) return undefined;
    const { id, entry, source } = made;
    updateIndex(root, run, ({ images, tags }) => {
      images.set(id, entry);
      tags.set(full, { id, from: source });
    });
    return toImage(root, id, entry);
  } catch (error) {
    throw explained(error, name);
  } finally {
    releaseName();
    releaseImages();
  }
}

/** An image that was just unpacked, and from which state of what. */
interface Made {
  readonly id: string;
  readonly entry: ImageEntry;
  readonly source: string;
}

async function makeEntry(root: string, run: string, full: string, name: string): Promise<Made | undefined> {
  const path = archivePath(root, name);
  let fd: number;
  try {
    // a FIFO of that name would make us wait for ever
    fd = open(path, O.RDONLY | O.NONBLOCK | O.NOCTTY);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    return full === EMBEDDED_NAME ? await fromEmbedded(root, run) : undefined;
  }
  try {
    return await fromFile(root, run, full, fd);
  } finally {
    close(fd);
  }
}

async function fromFile(root: string, run: string, full: string, fd: number): Promise<Made> {
  const stat = settledStat(fd);
  if (!isRegular(stat)) throw new ArchiveError("it is not a regular file");
  const known = await sameContent(root, full, fd);
  if (known !== undefined) return { ...known, source: sourceOf(stat) };
  const { openSource } = await import("./tar/source.ts");
  compileFor(stat.size);
  const source = openSource(fd);
  return await unpackInto(root, run, {
    pieces: source.pieces,
    digests: () => {
      if (!sameContentAs(stat, fstat(fd))) throw new ArchiveError("it changed while it was read");
      return { stored: source.digest(), plain: source.diffId() };
    },
    source: sourceOf(stat),
    created: timeText(stat.mtime),
  });
}

/** Whether a file was not written meanwhile. It may well have been replaced, or got another name, which changes its ctime. */
function sameContentAs(before: Stat, now: Stat): boolean {
  return before.size === now.size && before.mtime === now.mtime;
}

async function fromEmbedded(root: string, run: string): Promise<Made | undefined> {
  const id = embeddedId();
  if (id === undefined) return undefined;
  const { embeddedArchive } = await import("./embedded.ts");
  const tar = embeddedArchive();
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield tar;
  }
  return await unpackInto(root, run, {
    pieces: pieces(),
    digests: () => ({ stored: id.replace("sha256:", ""), plain: id.replace("sha256:", "") }),
    source: embeddedSource(id),
  });
}

/** An archive being unpacked; its digests, of its bytes as they are stored and of the plain tar, are asked at its end. */
interface Archive {
  readonly pieces: AsyncIterable<Uint8Array>;
  digests(): { readonly stored: string; readonly plain: string };
  readonly source: string;
  /** RFC 3339; where missing, the time of its newest member counts. */
  readonly created?: string;
}

async function unpackInto(root: string, run: string, archive: Archive): Promise<Made> {
  const { unpackTar } = await import("./tar/unpack.ts");
  const temporary = makeTemporary(root, run);
  try {
    // whatever the umask made of it; the archive's own `./` has the last word
    chmod(temporary.path, 0o755);
    const { size, newest, comment } = await unpackTar(archive.pieces, temporary.fd);
    const { stored, plain } = archive.digests();
    // the index says of what it names that it is whole: also after a power cut
    syncFilesystem(temporary.fd);
    // the chain id of a layer that lies on none is its diff id: so an image that is built on this one shares it
    close(publishLayer(root, temporary, plain));
    const created = archive.created ?? timeText(newest);
    return {
      id: `sha256:${stored}`,
      entry: { layers: [plain], sizes: [size], size, created, config: configOf(comment) },
      source: archive.source,
    };
  } catch (error) {
    dropTemporary(temporary);
    throw error;
  }
}

/** What the archive was unpacked to before, where it was only touched or copied: its layer need not be made again. */
async function sameContent(
  root: string,
  full: string,
  fd: number,
): Promise<Omit<Made, "source"> | undefined> {
  const index = readIndex(root);
  const id = own(index.tags, full)?.id;
  const entry = id === undefined ? undefined : own(index.images, id);
  if (id === undefined || entry === undefined || entry.manifest !== undefined || !hasLayers(root, entry))
    return undefined;
  const { digestOf } = await import("./tar/source.ts");
  const copy = open(`/proc/self/fd/${fd}`, O.RDONLY);
  try {
    return `sha256:${digestOf(copy)}` === id ? { id, entry } : undefined;
  } finally {
    close(copy);
  }
}

/** Time stamps move in steps of up to 10 ms: one that is older cannot hide a later write. */
const STEP_MS = 20;

function settledStat(fd: number): Stat {
  const stat = fstat(fd);
  const age = Date.now() - Number(stat.ctime / 1_000_000n);
  if (age < 0 || age >= STEP_MS) return stat;
  Bun.sleepSync(STEP_MS - age);
  return fstat(fd);
}

function explained(error: unknown, name: string): unknown {
  const what = `cannot unpack image ${name}`;
  if (error instanceof ArchiveError)
    return new EngineError(`${what}: ${error.message}`, 125, { cause: error });
  if (isDiskFull(error)) return new EngineError(`${what}: no space left on device`, 125, { cause: error });
  if (error instanceof SysError) return new EngineError(`${what}: ${error.message}`, 125, { cause: error });
  return error;
}
