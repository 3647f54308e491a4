import { harmless, isHarmless } from "./harmless.ts";

/**
 * Rows under headers; columns as wide as their widest cell, three blanks apart, each with them at least `minimum` wide, the
 * last one not padded. What is in the cells may come from an image, and cannot steer the terminal.
 */
export function renderTable(
  headers: readonly string[],
  given: readonly (readonly string[])[],
  minimum = 0,
): string {
  const rows = isHarmless(given.map((row) => row.join("")).join(""))
    ? given
    : given.map((row) => row.map(harmless));
  // plain loops: this is interpreted, and there may be thousands of cells
  const widths = headers.map((header) => header.length);
  for (const row of rows)
    for (let column = 0; column < row.length; column++) {
      const { length } = row[column] ?? "";
      if (length > (widths[column] ?? 0)) widths[column] = length;
    }
  const padded = widths.map((width) => Math.max(minimum, width + 3));
  let text = "";
  for (const row of [headers, ...rows]) {
    const last = row.length - 1;
    for (let column = 0; column < last; column++) text += row[column]?.padEnd(padded[column] ?? 0);
    text += `${row[last] ?? ""}\n`;
  }
  return text;
}

/** At most `length` characters, with an ellipsis where something was cut off. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
