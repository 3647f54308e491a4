import { FUNCTIONS } from "./functions.ts";
import { type Piece, splitTemplate, type Token } from "./lexer.ts";
import { TemplateError } from "./values.ts";

/** An expression. */
export type Expression =
  | { readonly kind: "dot" }
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "field"; readonly of: Expression; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] };

/** What an action does. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "show"; readonly value: Expression }
  | { readonly kind: "set"; readonly name: string; readonly declare: boolean; readonly value: Expression }
  | { readonly kind: "break" }
  | { readonly kind: "continue" }
  | {
      readonly kind: "if" | "with" | "range";
      readonly value: Expression;
      /** Variables of `range $i, $e :=` (or `with $x :=`). */
      readonly names: readonly string[];
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

/** Reads a template into nodes. Throws TemplateError. */
export function parseTemplate(template: string): readonly Node[] {
  const blocks = new Blocks(splitTemplate(template));
  const nodes = blocks.read();
  if (blocks.end !== undefined) throw new TemplateError(`unexpected {{${blocks.end}}}`);
  return nodes;
}

class Blocks {
  private at = 0;
  /** The word that ended the block read last: `end`, `else`; undefined at the template's end. */
  end: string | undefined;
  private elseTokens: readonly Token[] = [];
  constructor(private readonly pieces: readonly Piece[]) {}

  read(): Node[] {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.pieces[this.at++];
      this.end = undefined;
      if (piece === undefined) return nodes;
      if ("text" in piece) {
        if (piece.text !== "") nodes.push({ kind: "text", text: piece.text });
        continue;
      }
      const [first, ...rest] = piece.tokens;
      const word = first?.kind === "word" ? first.text : "";
      if (word === "end" || word === "else") {
        this.end = word;
        this.elseTokens = rest;
        return nodes;
      }
      nodes.push(
        word === "if" || word === "with" || word === "range" ? this.block(word, rest) : action(piece.tokens),
      );
    }
  }

  private block(kind: "if" | "with" | "range", tokens: readonly Token[]): Node {
    const { names, rest } = takeNames(tokens);
    const value = new Pipeline(rest).readAll();
    const body = this.read();
    let otherwise: readonly Node[] = [];
    if (this.end === "else") {
      const [word, ...condition] = this.elseTokens;
      if (word?.text === "if" || word?.text === "with")
        return { kind, value, names, body, otherwise: [this.block(word.text, condition)] };
      otherwise = this.read();
    }
    if (this.end !== "end")
      throw new TemplateError(`unexpected end of the template: {{${kind}}} has no {{end}}`);
    return { kind, value, names, body, otherwise };
  }
}

function takeNames(tokens: readonly Token[]): { names: string[]; rest: readonly Token[] } {
  const assigned = tokens.findIndex((token) => token.text === ":=");
  if (assigned < 0) return { names: [], rest: tokens };
  const names = tokens.slice(0, assigned).filter((token) => token.kind === "variable");
  return { names: names.map((token) => token.text), rest: tokens.slice(assigned + 1) };
}

function action(tokens: readonly Token[]): Node {
  const [first, second] = tokens;
  if (first?.kind === "word" && tokens.length === 1 && (first.text === "break" || first.text === "continue"))
    return { kind: first.text };
  if (first?.kind === "variable" && (second?.text === ":=" || second?.text === "="))
    return {
      kind: "set",
      name: first.text,
      declare: second.text === ":=",
      value: new Pipeline(tokens.slice(2)).readAll(),
    };
  return { kind: "show", value: new Pipeline(tokens).readAll() };
}

class Pipeline {
  private at = 0;
  constructor(private readonly tokens: readonly Token[]) {}

  readAll(): Expression {
    const value = this.pipeline();
    const left = this.tokens[this.at];
    if (left) throw new TemplateError(`unexpected "${left.text}"`);
    return value;
  }

  private pipeline(): Expression {
    let value = this.command(undefined);
    while (this.tokens[this.at]?.text === "|") {
      this.at++;
      value = this.command(value);
    }
    return value;
  }

  private command(piped: Expression | undefined): Expression {
    const token = this.tokens[this.at];
    const last = piped === undefined ? [] : [piped];
    if (token?.kind === "word" && Object.hasOwn(FUNCTIONS, token.text)) {
      this.at++;
      const args: Expression[] = [];
      while (this.startsOperand()) args.push(this.operand());
      return { kind: "call", name: token.text, args: [...args, ...last] };
    }
    if (piped !== undefined) throw new TemplateError(`"${token?.text ?? ""}" is no function to pipe into`);
    return this.operand();
  }

  private startsOperand(): boolean {
    const token = this.tokens[this.at];
    return token !== undefined && !["|", ")", ","].includes(token.text);
  }

  private operand(): Expression {
    let value = this.primary();
    for (let next = this.tokens[this.at]; next?.kind === "field" && next.joined; next = this.tokens[this.at])
      value = this.field(value);
    return value;
  }

  private field(of: Expression): Expression {
    const token = this.tokens[this.at++];
    return { kind: "field", of, name: token?.text.slice(1) ?? "" };
  }

  private primary(): Expression {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new TemplateError("missing value: an action is empty");
    switch (token.kind) {
      case "field":
        return { kind: "field", of: { kind: "dot" }, name: token.text.slice(1) };
      case "variable":
        return { kind: "variable", name: token.text };
      case "string":
        return { kind: "constant", value: unquote(token.text) };
      case "number":
        return { kind: "constant", value: Number(token.text) };
      case "word":
        return constantWord(token.text);
      case "symbol":
        if (token.text === ".") return { kind: "dot" };
        if (token.text === "(") return this.parenthesis();
        throw new TemplateError(`unexpected "${token.text}"`);
    }
  }

  private parenthesis(): Expression {
    const value = this.pipeline();
    if (this.tokens[this.at++]?.text !== ")") throw new TemplateError("unclosed left parenthesis");
    return value;
  }
}

function constantWord(word: string): Expression {
  if (word === "true" || word === "false") return { kind: "constant", value: word === "true" };
  if (word === "nil") return { kind: "constant", value: null };
  if (Object.hasOwn(FUNCTIONS, word)) return { kind: "call", name: word, args: [] };
  throw new TemplateError(`function "${word}" not defined`);
}

function unquote(text: string): string {
  if (text.startsWith("`")) return text.slice(1, -1);
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new TemplateError(`bad string ${text}`);
  }
}
