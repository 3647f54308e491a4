import { EngineError } from "../../linux/errors.ts";
import type { Answer } from "./answer.ts";
import type { Subject } from "./endpoint.ts";
import { RegistryError, TransportError } from "./errors.ts";
import type { Site } from "./mirrors.ts";
import { delay, passes, pause } from "./retry.ts";
import { type Asked, accepted, pushing } from "./subject.ts";

/** A blob to be sent. */
export interface UploadBlob {
  readonly digest: string;
  readonly size: number;
  /** Its bytes from there on; called again after a failure. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

type Outcome = "exists" | "mounted" | "uploaded";

/** Uploads a blob to a site (OCI distribution 1.1, "Pushing blobs"); see Registry.uploadBlob. */
export async function upload(
  site: Site,
  asked: Asked,
  blob: UploadBlob,
  options: { readonly from: readonly string[]; progress(at: number): void },
): Promise<Outcome> {
  const pushed = new Upload(site, asked, blob, options.progress);
  if (await pushed.isThere()) return "exists";
  for (const from of options.from) if (from !== site.path && (await pushed.mount(from))) return "mounted";
  await pushed.send();
  return "uploaded";
}

/** Small enough for proxies that bound a request's body, large enough to cost little. */
const CHUNK = 32 << 20;
const SMALLEST = 1 << 20;
/** Answers to a whole blob in one request that may be meant for the way, not for the blob. */
const NOT_WHOLE = [400, 404, 405, 411, 413, 415, 416, 501];
const MEANT = [
  "DIGEST_INVALID",
  "NAME_INVALID",
  "NAME_UNKNOWN",
  "SIZE_INVALID",
  "DENIED",
  "UNSUPPORTED_DIGEST",
];

class Upload {
  /** Where the registry wants the bytes, once it was asked. */
  #session: URL | undefined;
  /** How many it has. */
  #at = 0;
  #whole = true;
  #chunk = CHUNK;
  readonly #subject: Subject;

  constructor(
    readonly site: Site,
    readonly asked: Asked,
    readonly blob: UploadBlob,
    readonly progress: (at: number) => void,
  ) {
    this.#subject = pushing(site.path);
  }

  async isThere(): Promise<boolean> {
    const path = `/v2/${this.site.path}/blobs/${this.blob.digest}`;
    const answer = await this.site.endpoint.call({ method: "HEAD", path }, this.#subject);
    await answer.discard();
    if (answer.status === 404) return false;
    await accepted(answer, this.asked, 200);
    this.progress(this.blob.size);
    return true;
  }

  /** Whether the registry took the blob from another of its repositories. */
  async mount(from: string): Promise<boolean> {
    await this.#cancel();
    const query = new URLSearchParams({ mount: this.blob.digest, from });
    const path = `/v2/${this.site.path}/blobs/uploads/?${query}`;
    try {
      const answer = await this.site.endpoint.call({ method: "POST", path }, pushing(this.site.path, from));
      await answer.discard();
      if (answer.status === 202) await this.#began(answer);
      if (answer.status === 201) this.progress(this.blob.size);
      return answer.status === 201;
    } catch (error) {
      // that we may not read there is no reason not to upload
      if (error instanceof RegistryError) return false;
      throw error;
    }
  }

  /** All of it, with what it takes. */
  async send(): Promise<void> {
    const { timing, signal } = this.site.endpoint.settings;
    for (let failed = 0; ; ) {
      const before = this.#at;
      try {
        if (!this.#session) await this.#begin();
        if (this.#whole) await this.#sendWhole();
        else await this.#sendChunks();
        return;
      } catch (error) {
        if (this.#adapted(error)) continue;
        failed = this.#at > before ? 1 : failed + 1;
        const asked = error instanceof RegistryError ? error.wait : undefined;
        const wait = mayPass(error) && failed < timing.attempts ? delay(failed, timing, asked) : undefined;
        if (wait === undefined) {
          await this.#cancel();
          throw error;
        }
        await pause(wait, signal);
        // the answer may be all that was lost
        if (await this.isThere()) return;
        await this.#recover();
      }
    }
  }

  /** Whether the refusal was of the way the bytes were sent, and another one is to be tried. */
  #adapted(error: unknown): boolean {
    if (!(error instanceof RegistryError) || MEANT.includes(error.code ?? "")) return false;
    const { status } = error;
    if (this.#whole && NOT_WHOLE.includes(status)) this.#whole = false;
    else if (status === 413 && this.#chunk > SMALLEST) this.#chunk = Math.max(this.#chunk / 2, SMALLEST);
    else return false;
    this.#session = undefined;
    return true;
  }

  async #begin(): Promise<void> {
    const path = `/v2/${this.site.path}/blobs/uploads/`;
    const answer = await this.site.endpoint.call({ method: "POST", path }, this.#subject);
    await accepted(answer, this.asked, 202);
    await answer.discard();
    await this.#began(answer);
  }

  async #began(answer: Answer): Promise<void> {
    await this.#moved(answer);
    this.#at = 0;
    const least = Number(answer.headers.get("oci-chunk-min-length") ?? 0);
    if (Number.isSafeInteger(least) && least > this.#chunk) this.#chunk = least;
  }

  /** The session goes on where the answer says. */
  async #moved(answer: Answer): Promise<void> {
    const location = answer.headers.get("location");
    if (location === null || !URL.canParse(location, answer.url.href))
      throw new TransportError(`registry ${this.asked.domain} does not say where to upload to`, "unreadable");
    const origin = await this.site.endpoint.origin();
    const url = new URL(location, answer.url.href);
    url.username = "";
    url.password = "";
    // a registry behind a proxy often does not know that it is spoken to by https
    const itself =
      url.protocol === "http:" && origin.protocol === "https:" && url.hostname === origin.hostname;
    this.#session = itself ? new URL(url.pathname + url.search, origin.href) : url;
    if (origin.protocol === "https:" && this.#session.protocol !== "https:")
      throw new TransportError(`registry ${this.asked.domain} wants the upload without https`, "unreadable");
  }

  async #sendWhole(): Promise<void> {
    await this.#finish({ body: this.#body(0, this.blob.size), headers: OCTETS });
  }

  async #sendChunks(): Promise<void> {
    while (this.#at < this.blob.size) {
      const from = this.#at;
      const to = Math.min(from + this.#chunk, this.blob.size);
      const headers = { ...OCTETS, "content-range": `${from}-${to - 1}` };
      const answer = await this.#call("PATCH", this.#here(), { body: this.#body(from, to), headers });
      await accepted(answer, this.asked, 202);
      await answer.discard();
      await this.#moved(answer);
      this.#at = uploaded(answer) ?? to;
      if (this.#at <= from) throw new TransportError("the connection was cut", "lost");
    }
    await this.#finish({});
  }

  async #finish(more: { body?: Body; headers?: Record<string, string> }): Promise<void> {
    const url = this.#here();
    // by hand: what stands there is the registry's, to the letter
    const digest = `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(this.blob.digest)}`;
    const answer = await this.#call("PUT", new URL(url.href + digest), more);
    await accepted(answer, this.asked, 201, 204);
    await answer.discard();
    this.progress(this.blob.size);
  }

  #call(
    method: "PUT" | "PATCH",
    path: URL,
    more: { body?: Body; headers?: Record<string, string> },
  ): Promise<Answer> {
    // an empty body is one too: its length has to be said
    return this.site.endpoint.call({ method, path, body: new Uint8Array(0), ...more }, this.#subject, true);
  }

  #here(): URL {
    if (!this.#session) throw new EngineError(`cannot push ${this.asked.repository}: the upload has ended`);
    return this.#session;
  }

  #body(from: number, to: number): Body {
    return { size: to - from, open: () => this.#read(from, to) };
  }

  async *#read(from: number, to: number): AsyncGenerator<Uint8Array> {
    if (from === to) return;
    let at = from;
    for await (const piece of this.blob.open(from)) {
      yield piece.subarray(0, to - at);
      at = Math.min(at + piece.length, to);
      this.progress(at);
      if (at === to) return;
    }
    throw new EngineError(
      `cannot push ${this.blob.digest}: it has ${at} bytes where it should have ${this.blob.size}`,
    );
  }

  /** Asks how much has arrived ("Get upload status"), and goes on from there in chunks; else all begins anew. */
  async #recover(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (!session) return;
    // of a whole one that is cut no registry keeps anything (distribution 2.8 not even of a chunk)
    this.#whole = false;
    const answer = await this.site.endpoint.call({ method: "GET", path: session }, this.#subject);
    await answer.discard();
    const there = answer.status === 204 ? uploaded(answer) : undefined;
    if (there === undefined || there === 0) return;
    this.#session = session;
    if (answer.headers.get("location") !== null) await this.#moved(answer);
    this.#at = there;
  }

  /** Lets a session go that is not used. Nothing depends on it: the registry forgets it some day. */
  async #cancel(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (!session || this.site.endpoint.settings.signal?.aborted) return;
    try {
      const answer = await this.site.endpoint.call({ method: "DELETE", path: session }, this.#subject, true);
      await answer.discard();
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
}

type Body = Exclude<NonNullable<Parameters<Site["endpoint"]["call"]>[0]["body"]>, Uint8Array>;
const OCTETS = { "content-type": "application/octet-stream" };

/** How many bytes a session has by its Range header. `0-0` is what Docker's registry says for none. */
function uploaded(answer: Answer): number | undefined {
  const [, last] = /^(?:bytes=)?0-(\d{1,15})$/.exec(answer.headers.get("range") ?? "") ?? [];
  return last === undefined ? undefined : last === "0" ? 0 : Number(last) + 1;
}

function mayPass(error: unknown): boolean {
  if (error instanceof RegistryError)
    return passes(error.status) || error.status === 416 || error.status === 404;
  return error instanceof TransportError && (error.passes || error.trouble === "refused");
}
