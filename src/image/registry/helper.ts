import { EngineError } from "../../linux/errors.ts";
import { oneLine } from "./errors.ts";
import { type Fields, parseFields, type Surroundings } from "./surroundings.ts";

/** A password or token is short; a helper that says more is out of order. */
const MOST = 1 << 20;
/** A helper may ask its user; it must not hang for ever. */
const PATIENCE = 120_000;

/**
 * Runs `docker-credential-NAME VERB` (github.com/docker/docker-credential-helpers): `input` goes to its stdin, its stdout
 * comes back. Undefined where it says that it has no such credentials; EngineError where it is missing or fails.
 */
export async function callHelper(
  name: string,
  verb: "get" | "store" | "erase",
  input: string,
  where: Surroundings,
): Promise<string | undefined> {
  const program = `docker-credential-${name}`;
  const fail = (why: string): EngineError =>
    new EngineError(`cannot use credential helper ${program}: ${why}`);
  if (!/^[\w.-]+$/.test(name)) throw fail("its name is not one of a program");
  const path = Bun.which(program, { PATH: where.env.PATH ?? "" });
  if (!path) throw fail("executable file not found in $PATH");
  const child = Bun.spawn([path, verb], {
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "ignore",
    env: { ...where.env },
    timeout: PATIENCE,
    maxBuffer: MOST,
  });
  const [output, code] = await Promise.all([child.stdout.text(), child.exited]);
  if (code === 0) return output;
  // helpers tell what is wrong on their stdout
  if (/credentials not found/i.test(output)) return undefined;
  throw fail(oneLine(output) || (child.signalCode ? `killed by ${child.signalCode}` : `exit code ${code}`));
}

/** What a helper has for a key: the fields Username and Secret, or undefined. */
export async function askHelper(name: string, key: string, where: Surroundings): Promise<Fields | undefined> {
  const output = await callHelper(name, "get", key, where);
  if (output === undefined) return undefined;
  const fields = parseFields(output);
  if (!fields)
    throw new EngineError(`cannot use credential helper docker-credential-${name}: its answer is no JSON`);
  return fields;
}
