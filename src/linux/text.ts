/**
 * Texts that the kernel hands over are bytes, and need not be UTF-8. A byte that is none is held as a lone surrogate, U+DC80
 * to U+DCFF, which no valid text has: it survives JSON, and becomes that byte again (PEP 383, "surrogateescape").
 */
const ESCAPE = 0xdc00;

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of bytes, each of which can be had back by `toBytes`. */
export function fromBytes(bytes: Uint8Array): string {
  const whole = decode(bytes);
  if (whole !== undefined) return whole;
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    // one character is 1 to 4 bytes; the shortest that is one is the only one
    let length = 1;
    while (length < 4 && decode(bytes.subarray(at, at + length)) === undefined) length++;
    const character = decode(bytes.subarray(at, at + length));
    text += character ?? String.fromCharCode(ESCAPE | (bytes[at] ?? 0));
    at += character === undefined ? 1 : length;
  }
  return text;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The bytes of a text: UTF-8, but for what `fromBytes` has escaped. */
export function toBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    const escaped = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    return escaped ? Uint8Array.of(code & 0xff) : encoder.encode(character);
  });
  return Buffer.concat(parts);
}

/** The engine has it, the types of TypeScript not yet (ECMAScript, "JSON.parse source text access"). */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

/** A number of more digits than JavaScript's have, for JSON.stringify. */
export function rawNumber(digits: string): unknown {
  return rawJSON(digits);
}

/** Without `.`, `..`, doubled and trailing slashes; the path is absolute. */
export function normalizePath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
