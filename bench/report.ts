import type { Result } from "./measure.ts";

/** A group of measurements, all in one unit; the row that the others are compared with may be among them. */
export interface Section {
  readonly title: string;
  readonly unit: "ms" | "kB" | "ns";
  readonly rows: readonly (Result & { readonly note?: string })[];
  /** The name of the row that `ratio` is taken to. */
  readonly base?: string;
  /** What is asked of the first row of mydocker: the most its median may be, in the unit, as a ratio to the base or above it. */
  readonly aim?: { readonly most: number; readonly of: "median" | "ratio" | "difference" };
}

export interface Report {
  readonly about: Readonly<Record<string, string>>;
  readonly missing: readonly { readonly name: string; readonly missing: string }[];
  readonly sections: readonly Section[];
}

function ratioOf(section: Section, row: Result): number | undefined {
  const base = section.rows.find(({ name }) => name === section.base);
  return base && row.median / base.median;
}

function verdict(section: Section): string | undefined {
  const ours = section.rows.find(({ name }) => name.startsWith("mydocker"));
  if (!ours || !section.aim) return undefined;
  const { most, of } = section.aim;
  const base = section.rows.find(({ name }) => name === section.base)?.median;
  const above = base && ours.median - base;
  const got = { median: ours.median, ratio: ratioOf(section, ours), difference: above }[of];
  if (got === undefined) return undefined;
  const unit = of === "ratio" ? ` × ${section.base}` : ` ${section.unit}`;
  const what = of === "difference" ? `more than ${section.base}` : "";
  return `aim: at most ${most}${unit}${what && ` ${what}`}: ${got <= most ? "met" : "missed"} (${figure(got)})`;
}

function figure(value: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function sectionText(section: Section): string {
  const head = ["", `median ${section.unit}`, "min", section.base ? `× ${section.base}` : "", ""];
  const rows = section.rows.map((row) => {
    const ratio = ratioOf(section, row);
    const shown = ratio === undefined ? "" : figure(ratio);
    return [`  ${row.name}`, figure(row.median), figure(row.min), shown, row.note ?? ""];
  });
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => (row[i] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 || i === 4 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  const end = verdict(section);
  return [section.title, line(head), ...rows.map(line), ...(end ? [`  ${end}`] : [])].join("\n");
}

/** The report as one reads it. */
export function textOf(report: Report): string {
  const about = Object.entries(report.about).map(([key, value]) => `${key}: ${value}`);
  const missing = report.missing.map(({ name, missing: why }) => `${name}: ${why}`);
  return `${[[...about, ...missing].join("\n"), ...report.sections.map(sectionText)].join("\n\n")}\n`;
}

/** The report as a program reads it: ratios and verdicts included, samples as measured. */
export function jsonOf(report: Report): string {
  const sections = report.sections.map((section) => ({
    ...section,
    rows: section.rows.map((row) => ({ ...row, ratio: ratioOf(section, row) })),
    verdict: verdict(section),
  }));
  return `${JSON.stringify({ ...report, sections }, null, 2)}\n`;
}
