import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { close } from "../linux/file.ts";
import { print } from "../linux/process.ts";
import { messagePair, receiveFds, sendWithFds } from "../linux/socket.ts";
import { embeddedId } from "./origin.ts";
import { ArchiveError } from "./tar/archive-error.ts";
import { type LayerUnpacked, unpackHere } from "./unpack-job.ts";

interface Failure {
  readonly error: string;
  readonly isArchive: boolean;
  /** Of a system call that failed through no fault of the archive's, as on a full disk. */
  readonly call?: { readonly syscall: string; readonly detail: string; readonly errno: number };
}

/** The descriptor under which a helper has the socket that its orders come by. */
const ORDERS = 3;

/** How the built program starts itself as a helper; undefined for one that is not built. */
export function helperProgram(): readonly string[] | undefined {
  return embeddedId() === undefined ? undefined : ["/proc/self/exe", "__unpack"];
}

/**
 * A process that unpacks one layer after the other for us, so that layers are unpacked on several CPUs. By the socket it is
 * sent the descriptors of a stored layer and of a folder: with the open descriptions the locks are shared, so that nobody
 * takes the folder while it lives. What it found out it prints, a line of JSON each. It ends with us, or when the signal is
 * aborted.
 */
export class Helper {
  readonly #orders: number;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly #output: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(
    program: readonly string[],
    readonly signal: AbortSignal,
  ) {
    const [ours, theirs] = messagePair();
    this.#orders = ours;
    try {
      this.#child = Bun.spawn([...program, String(process.pid)], {
        stdio: ["ignore", "pipe", "inherit", theirs],
        env: { ...process.env },
        signal,
        killSignal: "SIGKILL",
      });
    } catch (error) {
      close(ours);
      throw error;
    } finally {
      close(theirs);
    }
    this.#output = this.#child.stdout[Symbol.asyncIterator]();
  }

  /** As `unpackHere`; one layer at a time. Throws what that threw there, or the signal's reason. */
  async unpack(layer: number, folder: number): Promise<LayerUnpacked> {
    const sent = sendWithFds(this.#orders, new Uint8Array(1), [layer, folder]);
    const text = sent ? await this.#line() : undefined;
    this.signal.throwIfAborted();
    if (text === undefined)
      throw new EngineError(`the process that unpacked a layer was killed (${await this.#child.exited})`);
    const answer = JSON.parse(text) as LayerUnpacked | Failure;
    if (!("error" in answer)) return answer;
    if (answer.call !== undefined)
      throw new SysError(answer.call.syscall, answer.call.detail, answer.call.errno);
    throw answer.isArchive ? new ArchiveError(answer.error) : new EngineError(answer.error);
  }

  async #line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const next = await this.#output.next();
      if (next.done === true) return undefined;
      this.#text += this.#decoder.decode(next.value, { stream: true });
    }
  }

  /** There is no more to do: the process ends. */
  end(): void {
    close(this.#orders);
  }
}

/** What such a process does, until there are no more orders. */
export async function answerOrders(): Promise<void> {
  for (;;) {
    const [layer, folder] = receiveFds(ORDERS, 2) ?? [];
    if (layer === undefined || folder === undefined) return;
    const answer = await answerTo(layer, folder);
    close(layer);
    close(folder);
    print(1, `${JSON.stringify(answer)}\n`);
  }
}

async function answerTo(layer: number, folder: number): Promise<LayerUnpacked | Failure> {
  try {
    return await unpackHere(layer, folder);
  } catch (error) {
    return {
      error: error instanceof Error ? error.message : String(error),
      isArchive: error instanceof ArchiveError,
      ...(error instanceof SysError && { call: callOf(error) }),
    };
  }
}

function callOf({ syscall, detail, errno }: SysError): NonNullable<Failure["call"]> {
  return { syscall, detail, errno };
}
