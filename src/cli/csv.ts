/** The fields of one line of CSV (RFC 4180), as Go's encoding/csv reads them. `wrong` makes the error for what is none. */
export function csvFields(line: string, wrong: (why: string) => Error): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = line[at] === '"';
    const [field, next] = quoted ? quotedField(line, at + 1, wrong) : plainField(line, at, wrong);
    fields.push(field);
    if (next >= line.length) return fields;
    at = next + 1;
  }
}

function plainField(
  line: string,
  from: number,
  wrong: (why: string) => Error,
): [field: string, next: number] {
  const comma = line.indexOf(",", from);
  const end = comma < 0 ? line.length : comma;
  const field = line.slice(from, end);
  const quote = field.indexOf('"');
  if (quote >= 0)
    throw wrong(`parse error on line 1, column ${from + quote + 1}: bare " in non-quoted-field`);
  return [field, end];
}

function quotedField(
  line: string,
  from: number,
  wrong: (why: string) => Error,
): [field: string, next: number] {
  let field = "";
  for (let at = from; at < line.length; at++) {
    if (line[at] !== '"') field += line[at];
    else if (line[at + 1] === '"') {
      field += '"';
      at++;
    } else if (at + 1 === line.length || line[at + 1] === ",") return [field, at + 1];
    else break;
  }
  throw wrong(`parse error on line 1, column ${line.length}: extraneous or missing " in quoted-field`);
}
