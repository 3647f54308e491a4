import { EngineError } from "../../linux/errors.ts";

/** The default profile for the default capabilities, compiled by build.ts: words in base64. */
declare const SECCOMP_DEFAULT: string | undefined;

/**
 * The words of a filter (compile.ts): of the default one, which costs nothing to make, or of one that was compiled when its
 * container was created, in base64. None where there is to be none.
 */
export function filterWords(seccomp: string): Uint32Array {
  if (seccomp === "unconfined") return new Uint32Array();
  if (seccomp !== "default") return decode(seccomp);
  if (typeof SECCOMP_DEFAULT !== "string")
    throw new EngineError("the default filter of system calls is only in the built executable");
  return decode(SECCOMP_DEFAULT);
}

function decode(base64: string): Uint32Array {
  const bytes = Uint8Array.fromBase64(base64);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/** A filter as the OCI runtime spec of a container of ours carries it. */
export function encodeFilter(words: Uint32Array): string {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength).toBase64();
}
