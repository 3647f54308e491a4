import { familiar } from "../full-name.ts";
import { isDigest } from "../reference.ts";
import type { Answer } from "./answer.ts";
import type { Subject } from "./endpoint.ts";
import { bodyWords, loginCommand, RegistryError } from "./errors.ts";
import { retryAfter } from "./retry.ts";

/** The subject of what reads in a repository. */
export function pulling(repository: string): Subject {
  return { repository, scopes: [`repository:${repository}:pull`] };
}

/** The subject of what writes into a repository, and reads in another one where a blob is mounted from there. */
export function pushing(repository: string, from?: string): Subject {
  const other = from === undefined ? [] : [`repository:${from}:pull`];
  return { repository, scopes: [`repository:${repository}:pull,push`, ...other] };
}

/** What was asked for when the registry said no. */
export interface Asked {
  /** As users know it: `docker.io`. */
  readonly domain: string;
  /** Where to log in: another registry, where registries.conf puts it in the place of this one. */
  readonly login: string;
  readonly repository: string;
  readonly verb: "pull" | "push";
  readonly what: "manifest" | "blob" | "tags";
  /** The tag or digest. */
  readonly reference?: string;
}

/** The answer where its status is one of those, else RegistryError. */
export async function accepted(answer: Answer, asked: Asked, ...statuses: number[]): Promise<Answer> {
  if (statuses.includes(answer.status)) return answer;
  throw refusal(asked, answer.status, await answer.words(), retryAfter(answer.headers));
}

/** The one line for a refusal: status and body of the answer, said for what was asked. */
export function refusal(asked: Asked, status: number, body: string, wait?: number): RegistryError {
  const { code, words } = bodyWords(body);
  const name = familiar(`${asked.domain}/${asked.repository}`);
  const said = words === "" ? `the registry answered ${status}` : words;
  const fail = (message: string): RegistryError => new RegistryError(message, status, code, wait);
  if (status === 401 || status === 403) {
    const rest = `${said}: '${loginCommand(asked.login)}'`;
    if (asked.verb === "push") return fail(`push access denied for ${name}: ${rest}`);
    return fail(`pull access denied for ${name}, repository does not exist or may require login: ${rest}`);
  }
  if (status === 404 && asked.what === "tags") return fail(`repository ${name} not found: ${said}`);
  if (status === 404 && asked.what === "manifest" && asked.verb === "pull")
    return fail(`manifest for ${wholeName(asked)} not found: ${words === "" ? "manifest unknown" : words}`);
  const cannot = `cannot ${asked.verb} ${asked.what === "blob" ? "blob of " : ""}${wholeName(asked)}`;
  if (status !== 429) return fail(`${cannot}: ${said}`);
  const later = wait === undefined ? "" : `: try again in ${Math.ceil(wait / 1000)} seconds`;
  return fail(`${cannot}: ${said.startsWith("toomanyrequests") ? "" : "toomanyrequests: "}${said}${later}`);
}

/** The name of a manifest or blob as people write it: `busybox:latest`, `ghcr.io/a/b@sha256:…`. */
export function wholeName({
  domain,
  repository,
  reference,
}: {
  readonly domain: string;
  readonly repository: string;
  readonly reference?: string;
}): string {
  const name = familiar(`${domain}/${repository}`);
  if (reference === undefined) return name;
  return `${name}${isDigest(reference) ? "@" : ":"}${reference}`;
}
