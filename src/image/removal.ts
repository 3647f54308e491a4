import { EngineError } from "../linux/errors.ts";
import { familiar, shortId, splitFull } from "./full-name.ts";
import type { ImageUse } from "./image.ts";
import type { OpenIndex } from "./index-file.ts";

/** What removing an image, or one of its names, comes to. */
export interface Removal {
  /** The whole names that go, tags and `REPOSITORY@DIGEST`. */
  readonly names: readonly string[];
  /** Whether the image itself goes. */
  readonly deletes: boolean;
}

/** All names of an image: tags, then digests. */
export function namesOf({ tags, digests }: OpenIndex, id: string): string[] {
  const tagged = [...tags].filter(([, tag]) => tag.id === id).map(([name]) => name);
  return [...tagged, ...[...digests].filter(([, of]) => of === id).map(([name]) => name)];
}

/**
 * What `rmi NAME` removes, by Docker's rules: the name alone where the image has others, else the image too. Throws EngineError
 * where a container needs it. An image that a running container has stays, without a name, even if forced.
 */
export function removeName(index: OpenIndex, id: string, name: string, use: ImageUse): Removal {
  const users = use.usersOf(id);
  const user = users[0];
  const names = namesOf(index, id);
  if (user !== undefined && !use.force && isOneReference(names))
    throw conflict(
      `unable to remove repository reference "${familiar(name)}" (must force) - container ${user.name} is using its referenced image ${shortId(id)}`,
    );
  const { repository } = splitFull(name);
  let rest = names.filter((other) => other !== name);
  // digests alone are no names that anybody gave
  const digests = rest.filter((other) => splitFull(other).repository === repository && other.includes("@"));
  const tagged = rest.some((other) => splitFull(other).repository === repository && !other.includes("@"));
  const gone = name.includes("@") || tagged ? [] : digests;
  rest = rest.filter((other) => !gone.includes(other));
  return { names: [name, ...gone], deletes: rest.length === 0 && !users.some(({ running }) => running) };
}

/** What `rmi ID` removes: the image with all of its names. Throws EngineError where there are several, or a container needs it. */
export function removeId(index: OpenIndex, id: string, use: ImageUse): Removal {
  const names = namesOf(index, id);
  const fail = (how: string, why: string): EngineError =>
    conflict(`unable to delete ${shortId(id)} (${how}) - ${why}`);
  if (!use.force && !isOneReference(names))
    throw fail("must be forced", "image is referenced in multiple repositories");
  const users = use.usersOf(id);
  const running = users.find((user) => user.running);
  if (running !== undefined)
    throw fail("cannot be forced", `image is being used by running container ${running.name}`);
  if (users[0] !== undefined && !use.force)
    throw fail("must be forced", `image is being used by stopped container ${users[0].name}`);
  return { names, deletes: true };
}

/** One tag at most, and all digests of the same repository. */
function isOneReference(names: readonly string[]): boolean {
  const repositories = new Set(names.map((name) => splitFull(name).repository));
  return repositories.size <= 1 && names.filter((name) => !name.includes("@")).length <= 1;
}

function conflict(what: string): EngineError {
  return new EngineError(`conflict: ${what}`, 1);
}
