/** One measured row. */
export interface Row {
  readonly group: string;
  readonly name: string;
  /** In the group's unit; empty where nothing was measured. */
  readonly samples: readonly number[];
  /** Why there are no samples, or what is to be known of them. */
  readonly note: string;
  /** What the project aims for: at most this, in the group's unit or times the group's floor. */
  readonly aim?: { readonly value: number; readonly of: "unit" | "floor" };
}

/** A row with its figures worked out, as --json prints it. */
export interface Figures {
  readonly group: string;
  readonly name: string;
  readonly median: number | null;
  readonly min: number | null;
  readonly ratio: number | null;
  readonly aim: string;
  readonly note: string;
}

export const FLOOR = "floor";
const MEMORY = "memory";

/** The middle of the samples, or the mean of the two in the middle. */
export function median(samples: readonly number[]): number | null {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? null : (upper + lower) / 2;
}

export function figuresOf(rows: readonly Row[]): Figures[] {
  return rows.map((row) => {
    const own = median(row.samples);
    const base = rows.find(({ group, name }) => group === row.group && name === FLOOR);
    const floor = base ? median(base.samples) : null;
    const ratio = own !== null && floor !== null ? own / floor : null;
    return {
      group: row.group,
      name: row.name,
      median: own,
      min: own === null ? null : Math.min(...row.samples),
      ratio,
      aim: judge(row, own, ratio),
      note: row.note,
    };
  });
}

function judge({ aim, group }: Row, own: number | null, ratio: number | null): string {
  if (!aim) return "";
  const value = aim.of === "floor" ? ratio : own;
  const words = aim.of === "floor" ? `≤ ${aim.value} × floor` : `≤ ${aim.value} ${unitOf(group)}`;
  return value === null ? words : `${words}: ${value <= aim.value ? "met" : "MISSED"}`;
}

function unitOf(group: string): string {
  return group === MEMORY ? "kB" : "ms";
}

/** The figures as an aligned table. */
export function renderTable(figures: readonly Figures[]): string {
  const lines = figures.map((row) => {
    const number = (value: number | null): string =>
      value === null ? "-" : `${value.toFixed(row.group === MEMORY ? 0 : 2)} ${unitOf(row.group)}`;
    const ratio = row.ratio === null ? "-" : `${row.ratio.toFixed(2)} ×`;
    return [row.group, row.name, number(row.median), number(row.min), ratio, row.aim, row.note];
  });
  const table = [["", "", "median", "min", "to floor", "aim", ""], ...lines];
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
  const isNumber = (column: number): boolean => column >= 2 && column <= 4;
  return table
    .map((line, index) => {
      const first = table[index - 1]?.[0] === line[0] ? "" : line[0];
      const cells = [first ?? "", ...line.slice(1)].map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      );
      return cells.join("  ").trimEnd();
    })
    .join("\n");
}
