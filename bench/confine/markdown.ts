/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** `0, 1, 2, 5` as `0–2, 5`. */
export function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

/** Puts rows together whose cells are the same, in the order of the first of each. */
export function grouped<T>(
  items: readonly T[],
  cellsOf: (item: T) => readonly string[],
): { readonly items: readonly T[]; readonly cells: readonly string[] }[] {
  const groups = new Map<string, { items: T[]; cells: readonly string[] }>();
  for (const item of items) {
    const cells = cellsOf(item);
    const key = cells.join("\t");
    const group = groups.get(key);
    if (group) group.items.push(item);
    else groups.set(key, { items: [item], cells });
  }
  return [...groups.values()];
}

const mark = (which: string): string => `<!-- made by bench/confinement.ts: ${which} -->`;

/** The text with what is between the two marks replaced; a text without marks gets them at its end. */
export function replaceBetweenMarks(text: string, made: string): string {
  const [begin, end] = [mark("begin"), mark("end")];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  const [before, after] =
    from >= 0 && to > from
      ? [text.slice(0, from), text.slice(to + end.length)]
      : [`${text.trimEnd()}\n\n`, "\n"];
  return `${before}${begin}\n\n${made.trim()}\n\n${end}${after}`;
}
