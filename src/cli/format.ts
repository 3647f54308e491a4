import { renderTable } from "./table.ts";
import { compileTemplate } from "./template.ts";

/** Docker's columns are at least so wide. */
const WIDTH = 10;

/**
 * Docker's `--format`: `json` (an object a line), a Go template a row, or `table TEMPLATE` with a header made of the
 * fields' names in `headers`.
 */
export function formatRows(
  format: string,
  headers: Readonly<Record<string, string>>,
  rows: readonly Record<string, unknown>[],
  /** What `table` alone stands for. */
  usual: string = Object.keys(headers)
    .map((field) => `{{.${field}}}`)
    .join("\t"),
): string {
  if (format === "json") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const isTable = format === "table" || format.startsWith("table ");
  const text = isTable ? format.slice("table".length).trimStart() || usual : format;
  const template = compileTemplate(text.replaceAll("\\t", "\t").replaceAll("\\n", "\n"));
  const lines = rows.map((row) => template(row));
  if (!isTable) return lines.map((line) => `${line}\n`).join("");
  const cells = [template({ ...headers }, "plain"), ...lines].map((line) => line.split("\t"));
  return renderTable(cells[0] ?? [], cells.slice(1), WIDTH);
}
