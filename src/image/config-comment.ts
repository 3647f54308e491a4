import { type ImageConfig, PLAIN_CONFIG } from "./image.ts";

/**
 * A rootfs archive has no place for how its containers run, so it stands in the comment of a pax global header (POSIX pax,
 * "comment"), which every tar passes over and which goes wherever the archive goes.
 */
const MARK = "mydocker-image-config ";
/** The archive may be anybody's: what is longer than this is not read. */
const LIMIT = 1 << 20;

/** The comment that holds a configuration. */
export function configComment(config: ImageConfig): string {
  return MARK + JSON.stringify(config);
}

/** The configuration in an archive's comment (bytes as characters); a plain one where there is none, or none that is right. */
export function configOf(comment: string | undefined): ImageConfig {
  if (comment === undefined || !comment.startsWith(MARK) || comment.length > LIMIT) return PLAIN_CONFIG;
  try {
    const text = Buffer.from(comment.slice(MARK.length), "latin1").toString("utf8");
    return { ...PLAIN_CONFIG, ...checked(JSON.parse(text)) };
  } catch {
    return PLAIN_CONFIG;
  }
}

/** Takes over the fields that we write, where they are of their type. */
function checked(value: unknown): ImageConfig {
  if (typeof value !== "object" || value === null) return {};
  const fields = value as Readonly<Record<string, unknown>>;
  const isText = (field: unknown): boolean => typeof field === "string" && !field.includes("\0");
  const isTexts = (field: unknown): boolean => Array.isArray(field) && field.every(isText);
  const isMap = (field: unknown): boolean =>
    typeof field === "object" && field !== null && Object.values(field).every(isText);
  const kinds: Readonly<Record<string, (field: unknown) => boolean>> = {
    ...{ Env: isTexts, Cmd: isTexts, Entrypoint: isTexts },
    ...{ WorkingDir: isText, User: isText, StopSignal: isText, Labels: isMap },
  };
  return Object.fromEntries(
    Object.entries(kinds)
      .filter(([name, fits]) => fits(fields[name]))
      .map(([name]) => [name, fields[name]]),
  );
}
