import { FIELD } from "./fields.ts";
import { tarHeader } from "./header.ts";

const MEMBER = { name: "member", type: "0", mode: 0, uid: 0, gid: 0, mtime: 0n } as const;
/** What fits into a header's eleven octal digits. */
const MOST = 8 ** 11;
let template: Buffer | undefined;
let sum = 0;

/** The header of a regular file of `size` bytes that says nothing else. */
export function plainHeader(size: number): Buffer {
  if (size >= MOST) return tarHeader({ ...MEMBER, size });
  if (template === undefined) {
    template = tarHeader({ ...MEMBER, size: 0 });
    sum = Number.parseInt(template.toString("latin1", FIELD.checksum[0], FIELD.checksum[0] + 6), 8);
  }
  if (size === 0) return template;
  const header = Buffer.from(template);
  const digits = size.toString(8).padStart(11, "0");
  header.write(digits, FIELD.size[0], "latin1");
  let more = 0;
  for (let i = 0; i < digits.length; i++) more += digits.charCodeAt(i) - 0x30;
  header.write((sum + more).toString(8).padStart(6, "0"), FIELD.checksum[0], "latin1");
  return header;
}

/** What is copied together, and from which size on a part goes by itself. */
const ROOM = 64 << 10;
const LARGE = 16 << 10;

/** Puts small parts together: each one that tar-stream is given costs it a turn. */
export class Pool {
  #whole: Uint8Array[] = [];
  #room: Buffer | undefined;
  #used = 0;

  add(part: Uint8Array): void {
    if (part.length >= LARGE) {
      this.#close();
      this.#whole.push(part);
      return;
    }
    if (this.#room !== undefined && this.#used + part.length > ROOM) this.#close();
    // a new one each time: who gets it keeps parts of it for a while
    this.#room ??= Buffer.allocUnsafeSlow(ROOM);
    this.#room.set(part, this.#used);
    this.#used += part.length;
  }

  /** All since the last time. */
  take(): readonly Uint8Array[] {
    this.#close();
    const whole = this.#whole;
    this.#whole = [];
    return whole;
  }

  #close(): void {
    if (this.#room !== undefined) this.#whole.push(this.#room.subarray(0, this.#used));
    this.#room = undefined;
    this.#used = 0;
  }
}
