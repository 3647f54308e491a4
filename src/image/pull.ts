import { isDiskFull } from "../linux/errno.ts";
import { EngineError, undone } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { wantBlob } from "./blob-writer.ts";
import {
  type Descriptor,
  isList,
  mediaTypeOf,
  parseDocument,
  parseList,
  parseManifest,
  parseObject,
} from "./document.ts";
import { familiar } from "./full-name.ts";
import { own, readIndex } from "./index-file.ts";
import { type ImageSource, installImage, nameImage, type Store } from "./install.ts";
import { fitsPlatform, hostPlatform, type Platform, platformText, selectPlatform } from "./platform.ts";
import { type Progress, SILENT } from "./progress.ts";
import { readBlob } from "./read-blob.ts";
import { canonical, parseReference, type Reference, repositoryOf } from "./reference.ts";
import { openRegistry, type Registry } from "./registry/client.ts";
import { fetchBlob } from "./registry/download.ts";
import { changeAndSweep } from "./remove.ts";
import { sweepOld, sweepOnceABoot } from "./upkeep.ts";

/** How an image is to be pulled. */
export interface PullOptions {
  readonly platform?: Platform;
  readonly progress: Progress;
  readonly signal?: AbortSignal;
  /** Called when the registry has the image. */
  readonly found?: () => void;
}

/**
 * Pulls an image from its registry (OCI distribution-spec, "Pull"): every byte is verified before it is used, and the name is
 * given when all of it is on disk. Throws EngineError where it cannot be had; what was brought by then helps the next try.
 */
export async function pullImage(store: Store, reference: Reference, options: PullOptions): Promise<void> {
  const { progress, signal } = options;
  const { path, tag, digest: wanted } = reference;
  sweepOnceABoot(store);
  const registry = await openRegistry(reference.domain, signal === undefined ? {} : { signal });
  const top = await registry.manifest(path, wanted ?? tag ?? "latest");
  options.found?.();
  progress.line(`${wanted ?? tag}: Pulling from ${path}`);
  const source = await readSource(store, registry, path, top, options);
  const installed = await installImage(
    store.root,
    source,
    (layer, stop, told) => download(store.root, registry, path, layer, told, stop),
    progress,
    signal,
  ).catch((error: unknown) => {
    throw undone(error, () => {
      if (isFull(error)) changeAndSweep(store.root, store.run, store.inUse, () => {});
    });
  });
  try {
    const known = own(readIndex(store.root).tags, canonical(reference))?.id;
    const name = `${repositoryOf(reference)}@${top.digest}`;
    nameImage(store, installed, {
      tags: wanted === undefined ? [canonical(reference)] : [],
      digests: [name],
    });
    progress.line(`Digest: ${top.digest}`);
    const what = known === installed.id ? "Image is up to date" : "Downloaded newer image";
    progress.line(`Status: ${what} for ${familiar(canonical(reference))}`);
    sweepOld(store);
  } finally {
    installed.release();
  }
}

/**
 * Pulls all tags of a repository, one after the other. Returns what was pulled. Throws EngineError where the registry does not
 * tell them, or one cannot be had; those before it stay.
 */
export async function pullAllTags(
  store: Store,
  reference: Reference,
  options: PullOptions,
): Promise<Reference[]> {
  const { signal } = options;
  const registry = await openRegistry(reference.domain, signal === undefined ? {} : { signal });
  const { domain, path } = reference;
  const all = (await registry.tags(path)).map((tag) => ({ domain, path, tag }));
  if (all.length === 0) throw new EngineError(`repository ${familiar(repositoryOf(reference))} has no tags`);
  for (const one of all) {
    // what the registry calls a tag must be one here too
    parseReference(canonical(one));
    await pullImage(store, one, options);
  }
  return all;
}

/** Whether it was for lack of room: what could be stored of the image then only takes more of it. */
function isFull(error: unknown): boolean {
  return isDiskFull(error instanceof Error ? (error.cause ?? error) : error);
}

type Answer = Awaited<ReturnType<Registry["manifest"]>>;

/** The manifest and the configuration that a registry's answer leads to. */
async function readSource(
  store: Store,
  registry: Registry,
  repository: string,
  top: Answer,
  { platform, progress, signal }: PullOptions,
): Promise<ImageSource> {
  const wanted = platform ?? hostPlatform();
  let answer = top;
  if (isList(mediaTypeOf(parseObject(top.bytes, "manifest"), top.mediaType)))
    answer = await registry.manifest(repository, selectPlatform(parseList(top.bytes), wanted).digest);
  const manifest = parseManifest(answer.bytes, answer.mediaType);
  const config = await download(store.root, registry, repository, manifest.config, SILENT, signal);
  try {
    const documentBytes = readBlob(store.root, manifest.config.digest);
    const document = parseDocument(documentBytes);
    if (!fitsPlatform(document, wanted)) {
      const { os, architecture } = document;
      const found = platformText({ os, architecture });
      const what = `the image's platform (${found}) does not match`;
      if (platform !== undefined)
        throw new EngineError(`${what} the one asked for (${platformText(wanted)})`);
      progress.line(`WARNING: ${what} this host's (${platformText(wanted)})`);
    }
    return { manifest, manifestBytes: answer.bytes, document, documentBytes };
  } finally {
    close(config);
  }
}

/** How often a blob is fetched whole before its digest is taken for wrong at the registry. */
const ATTEMPTS = 3;

/** Brings a blob into the store, unless it is there or another process brings it; returns what keeps it. */
async function download(
  root: string,
  registry: Registry,
  repository: string,
  { digest, size }: Descriptor,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<number> {
  const writer = await wantBlob(root, digest, signal);
  if (typeof writer === "number") {
    progress.layer(digest, "downloaded", size, size);
    return writer;
  }
  try {
    if (writer.offset > size) writer.reset();
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      await fetchBlob(registry, repository, { digest, size }, writer, {
        ...(signal !== undefined && { signal }),
        progress: (at) => progress.layer(digest, "downloading", at, size),
      });
      progress.layer(digest, "verifying");
      const done = writer.finish(digest);
      if (done === undefined) {
        // a mirror that sends other bytes is asked no more; the registry itself gets one more chance
        if (!registry.distrust(digest) && attempt > 1) break;
        continue;
      }
      progress.layer(digest, "downloaded", size, size);
      return done.fd;
    }
  } catch (error) {
    // on a full disk it would be in everybody's way
    if (isDiskFull(error)) writer.abandon();
    else writer.leave();
    throw error;
  }
  writer.abandon();
  throw new EngineError(
    `filesystem layer verification failed for digest ${digest}: the registry sends other bytes than the image names`,
  );
}
