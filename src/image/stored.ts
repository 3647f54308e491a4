import { EngineError } from "../linux/errors.ts";
import { close, O, open } from "../linux/file.ts";
import { type BlobWriter, type HeldBlob, makeBlobFolders, newBlob, putBlob } from "./blob-writer.ts";
import { parseDocument, parseManifest } from "./document.ts";
import { findId, tagsOf } from "./find.ts";
import { type ImageEntry, type Index, own, readIndex } from "./index-file.ts";
import type { ImageSource } from "./install.ts";
import { describeLayer, makeManifest } from "./make-manifest.ts";
import { archiveName, archivePath } from "./name.ts";
import { archiveSource, isEmbedded, isInStep } from "./origin.ts";
import { hostPlatform } from "./platform.ts";
import { holdBlob, needBlob, readBlob } from "./read-blob.ts";

/** An image of the store with all that is needed to hand it on; its blobs stay until `release`. */
export interface StoredImage {
  readonly id: string;
  readonly entry: ImageEntry;
  readonly source: ImageSource;
  release(): void;
}

/**
 * Opens an image by a name or an id. One from an archive in image/ (or the embedded one) becomes a whole image here, with a
 * manifest and a configuration made for it, and its archive as its layer. Throws EngineError where there is none, or a blob of
 * it is missing.
 */
export async function openStored(root: string, reference: string): Promise<StoredImage> {
  const index = readIndex(root);
  const id = findId(root, index, reference);
  const entry = id === undefined ? undefined : own(index.images, id);
  if (id === undefined || entry === undefined) throw new EngineError(`No such image: ${reference}`, 1);
  return entry.manifest === undefined
    ? await fromArchive(root, index, id, entry)
    : fromBlobs(root, id, entry, entry.manifest);
}

function fromBlobs(root: string, id: string, entry: ImageEntry, digest: string): StoredImage {
  const manifestBytes = readBlob(root, digest);
  const manifest = parseManifest(manifestBytes);
  const documentBytes = readBlob(root, id);
  const held: number[] = [];
  const release = (): void => {
    for (const fd of held.splice(0)) close(fd);
  };
  try {
    for (const { digest: blob } of [...manifest.layers, { digest }, { digest: id }])
      held.push(needBlob(root, blob));
  } catch (error) {
    release();
    throw error;
  }
  const source = { manifest, manifestBytes, document: parseDocument(documentBytes), documentBytes };
  return { id, entry, source, release };
}

async function fromArchive(root: string, index: Index, id: string, entry: ImageEntry): Promise<StoredImage> {
  const held: HeldBlob[] = [];
  const release = (): void => {
    for (const { fd } of held.splice(0)) close(fd);
  };
  try {
    const blob = await bringArchive(root, index, id);
    held.push(blob);
    const documentBytes = describeArchive(entry);
    const layer = describeLayer(blob);
    const { manifest, manifestBytes } = makeManifest(documentBytes, [layer], false);
    held.push(putBlob(root, documentBytes), putBlob(root, manifestBytes));
    const source = { manifest, manifestBytes, document: parseDocument(documentBytes), documentBytes };
    return { id: manifest.config.digest, entry, source, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** The bytes of an archive as a blob. */
async function bringArchive(root: string, index: Index, id: string): Promise<HeldBlob> {
  makeBlobFolders(root);
  const present = holdBlob(root, id);
  if (present !== undefined) return { digest: id, fd: present };
  const writer = newBlob(root);
  try {
    const named = tagsOf(index, id).find(([full, tag]) => isInStep(tag, archiveSource(root, full)));
    if (named === undefined) throw new EngineError(`image ${id} is gone: its archive was taken away`, 1);
    const [full, tag] = named;
    if (isEmbedded(tag)) writer.write((await import("./embedded.ts")).embeddedArchive());
    else copyInto(writer, archivePath(root, archiveName(full) ?? ""));
    const blob = writer.finish(id);
    if (blob === undefined) throw new EngineError(`the archive of ${full} changed while it was read`);
    return blob;
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

function copyInto(writer: BlobWriter, path: string): void {
  const fd = open(path, O.RDONLY | O.NOFOLLOW | O.NOCTTY);
  try {
    writer.take(fd);
  } finally {
    close(fd);
  }
}

/** The configuration of an image that is a root file system alone. */
function describeArchive({ layers, created, config = {} }: ImageEntry): Uint8Array {
  const document = {
    created,
    ...hostPlatform(),
    config,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${layer}`) },
    history: [{ created, comment: "imported by mydocker" }],
  };
  return new TextEncoder().encode(JSON.stringify(document));
}
