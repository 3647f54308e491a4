import { SysError } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { compileFor } from "./compiled.ts";
import { embeddedId } from "./origin.ts";
import { ArchiveError } from "./tar/archive-error.ts";

/** What unpacking a layer found out; it goes as JSON from one process to another, so names are byte strings. */
export interface LayerUnpacked {
  /** Bytes of file content. */
  readonly size: number;
  /** `sha256:…` of the plain tar. */
  readonly diffId: string;
  /** Folders that the layer has no member for, and whiteouts: see settleLayer. */
  readonly implicit: readonly string[];
  readonly whiteouts: readonly string[];
}

interface Failure {
  readonly error: string;
  readonly isArchive: boolean;
  /** Of a system call that failed through no fault of the archive's, as on a full disk. */
  readonly call?: { readonly syscall: string; readonly detail: string; readonly errno: number };
}

/** The descriptors under which a process that unpacks has the stored layer and the folder. */
export const JOB_LAYER = 3;
export const JOB_FOLDER = 4;

/** Files of so many bytes that unpack to more than the ratio are taken for bombs; gzip cannot do more than 1032:1. */
const ALWAYS_ALLOWED = 16 * 2 ** 30;
const RATIO = 1100;

/** How many bytes of content a layer of `size` stored bytes may unpack to. */
export function mostContent(size: number): number {
  return Math.max(ALWAYS_ALLOWED, size * RATIO);
}

/**
 * Unpacks the stored layer open on `layer` into the empty folder open on `folder`, in overlayfs's own form. Throws
 * ArchiveError where it is refused, or the signal's reason.
 */
export async function unpackHere(
  layer: number,
  folder: number,
  signal?: AbortSignal,
): Promise<LayerUnpacked> {
  const [{ abortable }, { openSource }, { unpackLayer }, { fstat }] = await Promise.all([
    import("./tar/abortable.ts"),
    import("./tar/source.ts"),
    import("./tar/layer.ts"),
    import("../linux/stat.ts"),
  ]);
  const { size: length } = fstat(layer);
  compileFor(length);
  const source = openSource(layer, { start: 0, length }, "diff-id");
  const result = await unpackLayer(abortable(source.pieces, signal), folder, {
    content: mostContent(length),
  });
  const { size, implicit, whiteouts } = result;
  return { size, implicit, whiteouts, diffId: `sha256:${source.diffId()}` };
}

/** The same in a process of its own, so that layers are unpacked on several CPUs. It ends with us. */
export async function unpackInChild(
  layer: number,
  folder: number,
  signal: AbortSignal,
): Promise<LayerUnpacked> {
  const child = Bun.spawn(["/proc/self/exe", "__unpack", String(process.pid)], {
    // by the open descriptions the locks are shared: nobody takes the folder while the child lives
    stdio: ["ignore", "pipe", "inherit", layer, folder],
    env: { ...process.env },
    signal,
    killSignal: "SIGKILL",
  });
  const text = await new Response(child.stdout).text();
  const code = await child.exited;
  signal.throwIfAborted();
  if (code !== 0 || text === "")
    throw new EngineError(`the process that unpacked a layer was killed (${code})`);
  const answer = JSON.parse(text) as LayerUnpacked | Failure;
  if (!("error" in answer)) return answer;
  if (answer.call !== undefined)
    throw new SysError(answer.call.syscall, answer.call.detail, answer.call.errno);
  throw answer.isArchive ? new ArchiveError(answer.error) : new EngineError(answer.error);
}

/** What such a process does; returns what it prints. */
export async function answerJob(): Promise<string> {
  try {
    return JSON.stringify(await unpackHere(JOB_LAYER, JOB_FOLDER));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const failure: Failure = {
      error: message,
      isArchive: error instanceof ArchiveError,
      ...(error instanceof SysError && { call: callOf(error) }),
    };
    return JSON.stringify(failure);
  }
}

function callOf({ syscall, detail, errno }: SysError): NonNullable<Failure["call"]> {
  return { syscall, detail, errno };
}

/** Whether this is the built program, which can start itself as another process. */
export function isBuilt(): boolean {
  return embeddedId() !== undefined;
}
