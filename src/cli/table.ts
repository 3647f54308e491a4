/**
 * Rows under headers; columns as wide as their widest cell, three blanks apart, each with them at least `minimum` wide, the
 * last one not padded.
 */
export function renderTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  minimum = 0,
): string {
  const widths = headers.map((header) => header.length);
  for (const row of rows)
    row.forEach((cell, column) => {
      if (cell.length > (widths[column] ?? 0)) widths[column] = cell.length;
    });
  let text = "";
  for (const row of [headers, ...rows]) {
    row.forEach((cell, column) => {
      text +=
        column === row.length - 1 ? `${cell}\n` : cell.padEnd(Math.max(minimum, (widths[column] ?? 0) + 3));
    });
  }
  return text;
}

/** At most `length` characters, with an ellipsis where something was cut off. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
