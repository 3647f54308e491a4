import { SIGNALS } from "../linux/signals.ts";
import { readable } from "../linux/socket.ts";
import { copyWindowSize, makeRaw } from "../linux/tty.ts";
import { receiveMessage, type ShimProcess } from "../runtime/shim.ts";
import { MESSAGE } from "../runtime/wire.ts";

/** How an attached client's wait ended. */
export interface AttachEnd {
  /** The program's exit code; undefined where the user left it running. */
  readonly exitCode: number | undefined;
  /** The monitor was killed: nobody saw the end of the program, and nobody has cleaned up. */
  readonly lost: boolean;
}

/** What the client passes on to the program; those of a terminal come through the terminal instead. */
const FORWARDED = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGTSTP",
] as const;
/** What ends a client on a terminal: the terminal is put back first, the program goes on. */
const ENDING = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

/** What connects a client to a program, beside the bytes, which flow without this process. */
export interface Attachment {
  /** Puts the client's terminal back as it was. */
  restore(): void;
}

/**
 * Begins to pass the client's signals on, or with a terminal makes it raw and follows its size. Before the program runs:
 * what it says may already be somebody's cue to type or to send a signal.
 */
export function prepareAttach(
  shim: ShimProcess,
  terminal: { readonly master: number } | undefined,
  stdin: boolean,
): Attachment {
  if (!terminal) {
    for (const name of FORWARDED)
      process.on(name, () => shim.tell(shim.control, MESSAGE.signal, SIGNALS[name.slice(3)]));
    return { restore: () => {} };
  }
  process.on("SIGWINCH", () => copyWindowSize(0, terminal.master));
  copyWindowSize(0, terminal.master);
  const restore = stdin ? makeRaw(0) : () => {};
  for (const name of ENDING)
    process.on(name, () => {
      restore();
      process.exit(128 + (SIGNALS[name.slice(3)] ?? 0));
    });
  return { restore };
}

/** Waits for the program at the shim's other end, or for the user to leave it running. */
export async function attach(shim: ShimProcess, attachment: Attachment | undefined): Promise<AttachEnd> {
  try {
    return await waitForEnd(shim);
  } finally {
    attachment?.restore();
  }
}

/** A signal interrupts the poll at once; its handler runs when the event loop gets its turn. */
async function waitForEnd(shim: ShimProcess): Promise<AttachEnd> {
  for (;;) {
    if (!readable(shim.control, 1000)) {
      await Bun.sleep(0);
      continue;
    }
    const message = receiveMessage(shim.control, true);
    if (message === undefined) return { exitCode: 137, lost: true };
    if (message.kind === MESSAGE.exited) return { exitCode: message.a, lost: false };
    if (message.kind === MESSAGE.detached) return { exitCode: undefined, lost: false };
  }
}
