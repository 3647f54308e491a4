import { TemplateError } from "./values.ts";

/** Text between actions, or the tokens of one action. */
export type Piece = { readonly text: string } | { readonly tokens: readonly Token[] };

export interface Token {
  readonly kind: "field" | "variable" | "word" | "string" | "number" | "symbol";
  readonly text: string;
  /** Whether it follows the token before it without a blank: `.A.B` is one operand, `.A .B` are two. */
  readonly joined: boolean;
}

const TOKEN =
  /\s+|(?<variable>\$[A-Za-z0-9_]*)|(?<field>\.[A-Za-z_][A-Za-z0-9_]*)|(?<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?<number>-?[0-9]+(?:\.[0-9]+)?)|(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<symbol>:=|[.|(),=])/y;

/** Splits a template (Go's text/template) into text and actions; `{{-` and `-}}` take the blanks beside them. */
export function splitTemplate(template: string): Piece[] {
  const pieces: Piece[] = [];
  let rest = template;
  for (;;) {
    const open = rest.indexOf("{{");
    if (open < 0) break;
    const trimLeft = /^\{\{-\s/.test(rest.slice(open));
    const text = rest.slice(0, open);
    pieces.push({ text: trimLeft ? text.trimEnd() : text });
    const close = findClose(rest, open + 2);
    const action = rest.slice(open + (trimLeft ? 3 : 2), close);
    const trimRight = /\s-$/.test(action);
    const body = trimRight ? action.slice(0, -1) : action;
    if (!/^\s*\/\*[\s\S]*\*\/\s*$/.test(body)) pieces.push({ tokens: tokenize(body) });
    rest = rest.slice(close + 2);
    if (trimRight) rest = rest.trimStart();
  }
  pieces.push({ text: rest });
  return pieces;
}

/** The `}}` that ends an action: one in a string does not. */
function findClose(text: string, from: number): number {
  const comment = /^-?\s*\/\*[\s\S]*?\*\/\s*-?(?=\}\})/.exec(text.slice(from));
  if (comment) return from + comment[0].length;
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote !== "") {
      if (character === "\\" && quote === '"') at++;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "`") quote = character;
    else if (text.startsWith("}}", at)) return at;
  }
  throw new TemplateError("unclosed action: a {{ has no }}");
}

function tokenize(body: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  let joined = false;
  while (TOKEN.lastIndex < body.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(body);
    if (!match) throw new TemplateError(`unexpected "${body.slice(at, at + 10)}" in {{${body}}}`);
    const found = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined);
    if (found) tokens.push({ kind: found[0] as Token["kind"], text: found[1] ?? "", joined });
    joined = found !== undefined;
  }
  return tokens;
}
