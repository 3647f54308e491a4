import { errnoName, errnoWords } from "../linux/errno.ts";
import { EngineError } from "../linux/errors.ts";
import { exitNow, print } from "../linux/process.ts";
import { SIGNALS } from "../linux/signals.ts";
import { readable } from "../linux/socket.ts";
import { copyWindowSize, isTerminal, makeRaw } from "../linux/tty.ts";
import { receiveMessage, type ShimProcess } from "../runtime/shim.ts";
import { MESSAGE } from "../runtime/wire.ts";

/** How an attached client's wait ended. */
export interface AttachEnd {
  /** The program's exit code; undefined where the user left it running. */
  readonly exitCode: number | undefined;
  /** The monitor was killed: nobody saw the end of the program, and nobody has cleaned up. */
  readonly lost: boolean;
  /** The container goes with its program, and its monitor waits for us to take it out of the records. */
  readonly goes: boolean;
  /** The kernel has killed a process of the container for lack of memory. */
  readonly oomKilled: boolean;
}

/** The user has left the program running. */
const LEFT: AttachEnd = { exitCode: undefined, lost: false, goes: false, oomKilled: false };

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
  "SIGWINCH",
] as const;
/** After so many of these two the person wants to get away, whatever the program makes of them. */
const ENOUGH = 3;
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
    forwardSignals(shim);
    return { restore: () => {} };
  }
  if (stdin && !isTerminal(0)) throw new EngineError("the input device is not a TTY", 1);
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

function forwardSignals(shim: ShimProcess): void {
  let asked = 0;
  for (const name of FORWARDED)
    process.on(name, () => {
      shim.tell(shim.control, MESSAGE.signal, SIGNALS[name.slice(3)]);
      if (name !== "SIGINT" && name !== "SIGTERM") return;
      asked += 1;
      if (asked < ENOUGH) return;
      print(2, `mydocker: got ${ENOUGH} SIGTERM/SIGINTs, forcefully exiting: the container goes on\n`);
      exitNow(1);
    });
}

/** As Docker, the client ends where its own output cannot be written, and the program goes on. */
function unwritable(stream: number, errno: number): EngineError {
  const name = stream === 2 ? "stderr" : "stdout";
  return new EngineError(`write /dev/${name}: ${errnoWords(errnoName(errno))}`, 1);
}

/** Waits for the program at the shim's other end, or for the user to leave it running. */
export async function attach(shim: ShimProcess, attachment: Attachment | undefined): Promise<AttachEnd> {
  try {
    return await waitForEnd(shim);
  } finally {
    attachment?.restore();
  }
}

/**
 * A signal interrupts the poll at once; its handler runs when the event loop gets its turn. One that came before the poll
 * does not interrupt it, as while the program was being started: so the first ones are short.
 */
async function waitForEnd(shim: ShimProcess): Promise<AttachEnd> {
  for (let patience = 5; ; patience = Math.min(patience * 4, 1000)) {
    if (!readable(shim.control, patience)) {
      await Bun.sleep(0);
      continue;
    }
    const message = receiveMessage(shim.control, true);
    if (message === undefined) return { exitCode: 137, lost: true, goes: false, oomKilled: false };
    if (message.kind === MESSAGE.exited)
      return { exitCode: message.a, lost: false, goes: message.b !== 0, oomKilled: message.c !== 0 };
    if (message.kind === MESSAGE.detached) return LEFT;
    if (message.kind === MESSAGE.unwritable) throw unwritable(message.a, message.b);
  }
}
