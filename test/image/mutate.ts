import type { Random } from "./tar/fuzz-parts.ts";

/** Stands for something that is nested deeper than the functions bear by which documents are made here. */
const DEEP = "(deep)";
const DEPTH = 50_000;

/** What may stand in a document in place of what must; texts that are names, paths, numbers or commands to a terminal. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  -(2 ** 31),
  1e308,
  "",
  "x",
  "../../../../etc/passwd",
  "/etc/passwd",
  "..",
  ".",
  "a\0b",
  "\u001b]0;title\u0007\n\r\u009b31m\u202e",
  "\ud800",
  "sha256:",
  `sha256:${"0".repeat(64)}`,
  `sha256:${"../".repeat(21)}a`,
  `sha512:${"0".repeat(128)}`,
  "x".repeat(70_000),
  "linux",
  "unknown",
  "amd64",
  "constructor",
  "__proto__",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.layer.v1.tar+zstd",
  "0001-01-01T00:00:00Z",
  "docker.io/library/other:latest",
  "UPPER/Case:tag",
  "blobs/sha256",
  "index.json",
  [],
  {},
  [null],
  [[]],
  [{}],
  ["a\0b"],
  { "": null },
  { constructor: "x", toString: null, length: -1 },
  JSON.parse('{"__proto__":{"os":"linux","digest":"x"}}'),
  JSON.parse("[".repeat(60) + "]".repeat(60)),
  DEEP,
];

const KEYS: readonly string[] = [
  "",
  "a\0b",
  "constructor",
  "toString",
  "x".repeat(300),
  "/../..",
  "digest",
  "os",
];

type Node = Record<string, unknown> | unknown[];

function nodesOf(value: unknown, found: Node[] = []): Node[] {
  if (typeof value !== "object" || value === null) return found;
  found.push(value as Node);
  for (const one of Object.values(value)) nodesOf(one, found);
  return found;
}

/** A copy with one to three of its values replaced, removed, doubled, or put in another's place. */
export function mutated(value: unknown, random: Random): unknown {
  const copy: unknown = structuredClone(value);
  const nodes = nodesOf(copy);
  for (let i = 0; i <= random.below(3); i++) {
    const node = random.of(nodes) as Record<string, unknown>;
    const keys = Object.keys(node);
    const key = keys.length > 0 ? random.of(keys) : "x";
    const kind = random.below(8);
    if (kind < 4) node[key] = random.of(VALUES);
    else if (kind === 4) delete node[key];
    else if (kind === 5) node[key] = structuredClone(random.of(nodes));
    else if (kind === 6 && Array.isArray(node)) node.push(...structuredClone(node));
    else if (kind === 6) node[random.of(KEYS)] = random.of(VALUES);
    else if (Array.isArray(node)) node.push(random.of(VALUES));
    else node[key] = [node[key]];
  }
  return copy;
}

/** The text of a document that may be changed. */
export function textOf(value: unknown): string {
  const deep = "[".repeat(DEPTH) + "]".repeat(DEPTH);
  return (JSON.stringify(value) ?? "null").replaceAll(JSON.stringify(DEEP), deep);
}

/** A copy with some of its bytes changed, put in, taken out, or cut off. */
export function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  let copy = Buffer.from(bytes);
  for (let i = 0; i <= random.below(4) && copy.length > 0; i++) {
    const at = random.below(copy.length);
    const length = random.below(20);
    switch (random.below(4)) {
      case 0:
        copy[at] = random.below(256);
        break;
      case 1:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(at + length)]);
        break;
      case 2:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(0, length), copy.subarray(at)]);
        break;
      default:
        copy = copy.subarray(0, at);
    }
  }
  return copy;
}
