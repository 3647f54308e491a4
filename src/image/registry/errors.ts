import { EngineError } from "../../linux/errors.ts";
import { HUB } from "../full-name.ts";
import { isFields, parseFields, textOf } from "./surroundings.ts";

/** A registry that said no. `status` is that of HTTP, `code` the registry's own (OCI distribution 1.1, "Error Codes"). */
export class RegistryError extends EngineError {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | undefined,
    /** What it asks to be waited before the next try, in ms. */
    readonly wait?: number,
  ) {
    super(message);
  }
}

/** What a connection died of. Only `lost`, `stall` and `name-later` may be otherwise at the next try. */
export type Trouble =
  | "lost"
  | "stall"
  | "name-later"
  | "refused"
  | "name"
  | "certificate"
  | "tls"
  | "proxy"
  | "unreadable";

/** A request that brought no answer, or half of one; the message says it without the host. */
export class TransportError extends EngineError {
  constructor(
    message: string,
    readonly trouble: Trouble,
    options?: ErrorOptions,
  ) {
    super(message, 125, options);
  }

  /** Whether the same request may well succeed in a moment. */
  get passes(): boolean {
    return this.trouble === "lost" || this.trouble === "stall" || this.trouble === "name-later";
  }
}

const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_REVOKED: "its certificate was revoked",
};
const UNTRUSTED =
  /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|ERR_TLS_CERT)/;

/** What fetch threw, in words; `host` is the one that was asked, as users name it for certs.d. */
export function transportError(error: unknown, host: string): TransportError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const options = { cause: error };
  if (code === "ECONNREFUSED") return new TransportError("connection refused", "refused", options);
  if (code === "ENOTFOUND") return new TransportError("no such host (name not resolved)", "name", options);
  if (code === "EAI_AGAIN" || code === "ETIMEOUT")
    return new TransportError(
      "the name cannot be resolved now (no name server answers)",
      "name-later",
      options,
    );
  if (CERTIFICATE[code] !== undefined) return new TransportError(CERTIFICATE[code], "certificate", options);
  if (UNTRUSTED.test(code)) {
    const advice = `put the certificate of its CA in /etc/docker/certs.d/${host}/ca.crt`;
    return new TransportError(`its certificate is not trusted: ${advice}`, "certificate", options);
  }
  if (code === "EPROTO")
    return new TransportError(
      `the TLS handshake failed: it may not speak https, or want a client certificate (/etc/docker/certs.d/${host}/client.cert and client.key)`,
      "tls",
      options,
    );
  if (code === "ERR_PROXY_TUNNEL" && error instanceof Error)
    return new TransportError(oneLine(error.message), "proxy", options);
  if (code === "Malformed_HTTP_Response")
    return new TransportError("its answer is not readable as HTTP", "unreadable", options);
  return new TransportError(lostWords(code), "lost", options);
}

function lostWords(code: string): string {
  const known: Record<string, string> = {
    ECONNRESET: "the connection was cut",
    EHOSTUNREACH: "no route to the host",
    ENETUNREACH: "the network is unreachable",
    ETIMEDOUT: "the connection timed out",
  };
  return known[code] ?? `the connection failed${code === "" ? "" : ` (${code})`}`;
}

/** A text from outside, fit for a terminal and for one line: without control characters, and not long. */
export function oneLine(text: string): string {
  const plain = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get through
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, " ")
    .trim();
  return plain.length > 300 ? `${plain.slice(0, 300)}…` : plain;
}

/** What an error body says: `{"errors":[{"code","message","detail"}]}`, or a token server's `{"details"}`, or nothing. */
export function bodyWords(body: string): { code?: string; words: string } {
  const fields = parseFields(body);
  const errors = fields?.errors;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (isFields(first)) {
    const code = textOf(first, "code");
    const name = code?.toLowerCase().replaceAll("_", " ");
    const message = textOf(first, "message");
    const detail = textOf(first, "detail");
    const parts = [name, message, detail].filter((part) => part !== undefined);
    // many say the code once more as the message
    const distinct = parts.filter((part, at) => parts.indexOf(part) === at);
    return { ...(code !== undefined && { code }), words: oneLine(distinct.join(": ")) };
  }
  if (!fields) return { words: "" };
  const other = textOf(fields, "details") ?? textOf(fields, "message") ?? textOf(fields, "error_description");
  return { words: oneLine(other ?? "") };
}

/** What to type to log in; the hub goes without saying. */
export function loginCommand(domain: string): string {
  return domain === HUB ? "mydocker login" : `mydocker login ${domain}`;
}
