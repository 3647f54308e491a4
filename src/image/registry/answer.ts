import { EngineError } from "../../linux/errors.ts";
import { TransportError } from "./errors.ts";
import type { Watch } from "./watch.ts";

/** A short rest is read so that the connection can serve again; for a longer one it is closed. */
const SHORT = 64 << 10;
/** Errors and tokens are texts of a few lines. */
const TEXT = 1 << 20;

/** An answer whose body has to be read, or discarded. */
export class Answer {
  readonly status: number;
  readonly headers: Headers;
  #bytes: Uint8Array | undefined;

  constructor(
    readonly response: Response,
    /** Where it came from, after all redirects. */
    readonly url: URL,
    readonly watch: Watch,
    readonly stall: number,
    readonly explain: (error: unknown) => unknown,
  ) {
    this.status = response.status;
    this.headers = response.headers;
  }

  /** Content-Length, where there is a usable one. */
  get length(): number | undefined {
    const text = this.headers.get("content-length");
    return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /** The body as it comes, at the pace of the reader; whoever stops early closes the connection. */
  async *pieces(): AsyncGenerator<Uint8Array, void, void> {
    const reader = this.response.body?.getReader();
    try {
      while (reader) {
        const { done, value } = await this.#next(reader);
        if (done) return;
        yield value;
      }
    } finally {
      this.watch.end();
      await reader?.cancel().catch(() => undefined);
    }
  }

  async #next(
    reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read">,
  ): Promise<Bun.ReadableStreamDefaultReadResult<Uint8Array>> {
    this.watch.arm(this.stall);
    try {
      return await reader.read();
    } catch (error) {
      throw this.explain(error);
    } finally {
      this.watch.disarm();
    }
  }

  /** The whole body, also when it is asked for again; TransportError where it is longer than `limit` bytes. */
  async bytes(limit: number): Promise<Uint8Array> {
    this.#bytes ??= await this.#read(limit);
    return this.#bytes;
  }

  async #read(limit: number): Promise<Uint8Array> {
    const tooLong = new TransportError(`its answer is larger than ${limit / 1024} KiB`, "unreadable");
    if ((this.length ?? 0) > limit) {
      await this.discard();
      throw tooLong;
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const piece of this.pieces()) {
      size += piece.length;
      if (size > limit) throw tooLong;
      parts.push(piece);
    }
    return Buffer.concat(parts);
  }

  /** The body as a text. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes(TEXT));
  }

  /** What there is of the body of a refusal: nothing where it cannot be had, as the status says enough. */
  async words(): Promise<string> {
    try {
      return await this.text();
    } catch (error) {
      if (error instanceof EngineError) return "";
      throw error;
    }
  }

  /** Done with it. */
  async discard(): Promise<void> {
    let size = 0;
    try {
      if ((this.length ?? 0) > SHORT) return await this.response.body?.cancel();
      for await (const piece of this.pieces()) {
        size += piece.length;
        if (size > SHORT) return;
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    } finally {
      this.watch.end();
    }
  }
}
