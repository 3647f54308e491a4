/** A blob, and servers of bare sockets that give it badly. */
import { randomBytes } from "node:crypto";
import { digestOf, Memory, rawServer } from "./fake.ts";

export const BYTES = randomBytes(300_000);
export const BLOB = { digest: digestOf(BYTES), size: BYTES.length };

/** A sink that has the first bytes already. */
export function begun(length: number): Memory {
  const sink = new Memory();
  sink.bytes = Buffer.from(BYTES.subarray(0, length));
  return sink;
}

/** A server of bare sockets with the blob, and what was asked of it. */
export function faulty(answer: (from: number, tries: number, socket: Bun.Socket<{ text: string }>) => void) {
  const ranges: string[] = [];
  const heads: string[] = [];
  const raw = rawServer((head, socket) => {
    const [, from = ""] = /range: bytes=(\d+)-/i.exec(head) ?? [];
    ranges.push(from);
    heads.push(head);
    answer(Number(from), ranges.length, socket);
  });
  return { ...raw, ranges, heads };
}

export function partial(from: number): string {
  const length = BLOB.size - from;
  return `HTTP/1.1 206 X\r\nContent-Length: ${length}\r\nContent-Range: bytes ${from}-${BLOB.size - 1}/${BLOB.size}\r\n\r\n`;
}
export const WHOLE = `HTTP/1.1 200 OK\r\nContent-Length: ${BLOB.size}\r\n\r\n`;

/** Sends a head and some bytes, all of it before `then`. */
export function send(
  socket: Bun.Socket<{ text: string }>,
  head: string,
  bytes: Uint8Array,
  then: () => void = () => {},
): void {
  const all = Buffer.concat([Buffer.from(head), bytes]);
  let done = 0;
  const step = (): void => {
    done += Math.max(socket.write(all.subarray(done)), 0);
    if (done < all.length) setTimeout(step, 1);
    else then();
  };
  step();
}

/** Ends a connection when all that it brought is in the sink: what is on its way may be lost with it. */
export function endAt(socket: Bun.Socket<{ text: string }>, sink: Memory, offset: number): void {
  if (sink.offset >= offset) socket.end();
  else setTimeout(() => endAt(socket, sink, offset), 1);
}
