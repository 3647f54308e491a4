import { EngineError } from "../../linux/errors.ts";
import { digestOf } from "../read-blob.ts";
import { isDigest } from "../reference.ts";
import type { Answer } from "./answer.ts";
import { RegistryError, TransportError } from "./errors.ts";
import { Mirrors, type Site } from "./mirrors.ts";
import { TIMING, type Timing } from "./retry.ts";
import { type Blob, type BlobSource, openSource } from "./source.ts";
import { type Asked, accepted, pulling, pushing, wholeName } from "./subject.ts";
import { type Surroundings, surroundings } from "./surroundings.ts";
import { listTags } from "./tags.ts";
import type { Settings } from "./transport.ts";
import { type UploadBlob, upload } from "./upload.ts";

/** The registry's limit of a manifest (OCI distribution 1.1, "Pushing Manifests"). */
const LARGEST = 4 << 20;
/** Schema 1 is asked for too: its refusal can then be said in words. */
const MANIFESTS = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/**
 * A registry of the OCI distribution specification 1.1, with the mirrors that registries.conf gives it. Every method throws
 * RegistryError (an EngineError) where the registry refuses, with the status in `status`, TransportError (an EngineError)
 * where it cannot be reached, and the reason of an aborted signal as it is.
 */
export interface Registry {
  /** As in references: `docker.io`. */
  readonly domain: string;
  readonly settings: Settings;
  /**
   * A manifest by tag or digest, with its bytes as they are, which are verified: against the digest where `reference` is
   * one, else against Docker-Content-Digest where given. At most 4 MiB.
   */
  manifest(
    repository: string,
    reference: string,
  ): Promise<{ bytes: Uint8Array; mediaType: string; digest: string }>;
  /** The digest that a tag has now, or undefined where there is no such manifest. */
  hasManifest(repository: string, reference: string): Promise<string | undefined>;
  /** All tags of a repository. */
  tags(repository: string): Promise<string[]>;
  /** Whether the registry itself, not a mirror, has a blob. */
  hasBlob(repository: string, digest: string): Promise<boolean>;
  /** A blob's bytes from `offset` on; what `fetchBlob` is made of. */
  openBlob(repository: string, blob: Blob, offset: number, signal?: AbortSignal): Promise<BlobSource>;
  /**
   * Tells that the bytes of a blob were not what its digest says. Whether another try is worth while: the mirror that they
   * came from is asked no more.
   */
  distrust(digest: string): boolean;
  /**
   * Uploads a blob unless it is there; tries to mount it from each of the repositories of `mountFrom` first. Whole, or in
   * chunks where the registry wants that; goes on where a cut upload ended. `progress` is told how many bytes are sent.
   */
  uploadBlob(
    repository: string,
    blob: UploadBlob,
    mountFrom: readonly string[],
    progress?: (at: number) => void,
  ): Promise<"exists" | "mounted" | "uploaded">;
  /** Stores a manifest under a tag or its digest; returns its digest. */
  putManifest(repository: string, reference: string, mediaType: string, bytes: Uint8Array): Promise<string>;
}

export interface RegistryOptions extends Partial<Surroundings> {
  /** Stops everything at once, with its reason. */
  readonly signal?: AbortSignal;
  /** Plain http, or https with any certificate. */
  readonly insecure?: boolean;
  readonly timing?: Partial<Timing>;
}

/**
 * A registry's client; `domain` is as in references. Nothing is asked yet. EngineError where registries.conf or a
 * certificate cannot be read.
 */
export async function openRegistry(domain: string, options: RegistryOptions = {}): Promise<Registry> {
  const { signal, insecure = false, timing, ...where } = options;
  const settings = { where: surroundings(where), timing: { ...TIMING, ...timing }, signal };
  return new Client(domain, settings, new Mirrors(domain, insecure, settings));
}

class Client implements Registry {
  /** Where the bytes of a blob last came from. */
  readonly #sites = new Map<string, Site>();

  constructor(
    readonly domain: string,
    readonly settings: Settings,
    readonly mirrors: Mirrors,
  ) {}

  async manifest(
    repository: string,
    reference: string,
  ): Promise<{ bytes: Uint8Array; mediaType: string; digest: string }> {
    return this.mirrors.first(repository, reference, async (site) => {
      const answer = await this.#askManifest(site, "GET", repository, reference);
      const bytes = await answer.bytes(LARGEST);
      const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
      const digest = digestOf(bytes);
      const told = answer.headers.get("docker-content-digest");
      const expected = isDigest(reference) ? reference : told;
      if (expected !== null && isDigest(expected) && expected !== digest)
        throw new TransportError(
          `manifest of ${this.#name(repository, reference)} is not what it should be: its digest is ${digest}, not ${expected}`,
          "unreadable",
        );
      if (/manifest\.v1\+(?:json|prettyjws)$/.test(mediaType) && mediaType.includes("docker"))
        throw new EngineError(
          `cannot pull ${this.#name(repository, reference)}: it has the old format (schema 1); whoever made it must push it anew`,
        );
      return { bytes, mediaType, digest };
    });
  }

  async hasManifest(repository: string, reference: string): Promise<string | undefined> {
    try {
      const told = await this.mirrors.first(repository, reference, async (site) => {
        const answer = await this.#askManifest(site, "HEAD", repository, reference);
        await answer.discard();
        return answer.headers.get("docker-content-digest") ?? "";
      });
      // a registry need not tell the digest
      return isDigest(told) ? told : (await this.manifest(repository, reference)).digest;
    } catch (error) {
      if (error instanceof RegistryError && error.status === 404) return undefined;
      throw error;
    }
  }

  tags(repository: string): Promise<string[]> {
    return this.mirrors.first(repository, "", (site) =>
      listTags(site, { ...this.#asked(site, repository, "pull"), what: "tags" }),
    );
  }

  async hasBlob(repository: string, digest: string): Promise<boolean> {
    const site = this.mirrors.own(repository);
    const path = `/v2/${site.path}/blobs/${digest}`;
    const answer = await site.endpoint.call({ method: "HEAD", path }, pulling(site.path));
    await answer.discard();
    if (answer.status === 404) return false;
    await accepted(
      answer,
      { ...this.#asked(site, repository, "pull"), what: "blob", reference: digest },
      200,
    );
    return true;
  }

  async openBlob(repository: string, blob: Blob, offset: number, signal?: AbortSignal): Promise<BlobSource> {
    const source = await openSource(this.domain, this.mirrors, repository, blob, offset, signal);
    this.#sites.set(blob.digest, source.site);
    return source;
  }

  distrust(digest: string): boolean {
    const site = this.#sites.get(digest);
    if (!site?.mirror) return false;
    this.mirrors.distrust(site);
    return true;
  }

  uploadBlob(
    repository: string,
    blob: UploadBlob,
    mountFrom: readonly string[],
    progress: (at: number) => void = () => undefined,
  ): Promise<"exists" | "mounted" | "uploaded"> {
    const site = this.mirrors.own(repository);
    return upload(site, { ...this.#asked(site, repository, "push"), what: "blob" }, blob, {
      from: mountFrom.map((from) => this.mirrors.own(from).path),
      progress,
    });
  }

  async putManifest(
    repository: string,
    reference: string,
    mediaType: string,
    bytes: Uint8Array,
  ): Promise<string> {
    const site = this.mirrors.own(repository);
    const path = `/v2/${site.path}/manifests/${reference}`;
    const headers = { "content-type": mediaType };
    const answer = await site.endpoint.call(
      { method: "PUT", path, headers, body: bytes },
      pushing(site.path),
    );
    await accepted(answer, { ...this.#asked(site, repository, "push"), reference }, 201, 200, 202);
    await answer.discard();
    const digest = digestOf(bytes);
    const told = answer.headers.get("docker-content-digest");
    if (told !== null && isDigest(told) && told !== digest)
      throw new EngineError(
        `cannot push ${this.#name(repository, reference)}: the registry stored something else (${told}, not ${digest})`,
      );
    return digest;
  }

  async #askManifest(
    site: Site,
    method: "GET" | "HEAD",
    repository: string,
    reference: string,
  ): Promise<Answer> {
    const path = `/v2/${site.path}/manifests/${reference}`;
    const headers = { accept: MANIFESTS };
    const verified = isDigest(reference);
    const answer = await site.endpoint.call(
      { method, path, headers, verified, limit: LARGEST },
      pulling(site.path),
    );
    return accepted(answer, { ...this.#asked(site, repository, "pull"), reference }, 200);
  }

  #asked(site: Site, repository: string, verb: "pull" | "push"): Asked {
    return { domain: this.domain, login: site.endpoint.domain, repository, verb, what: "manifest" };
  }

  #name(repository: string, reference: string): string {
    return wholeName({ domain: this.domain, repository, reference });
  }
}
