import { FUNCTIONS } from "./template/functions.ts";
import { type Expression, type Node, parseTemplate } from "./template/parser.ts";
import { fieldOf, isTrue, show, TemplateError } from "./template/values.ts";

/** Variables of a block and of those around it. */
class Scope {
  private readonly own = new Map<string, unknown>();
  constructor(private readonly outer?: Scope) {}

  declare(name: string | undefined, value: unknown): this {
    if (name !== undefined) this.own.set(name, value);
    return this;
  }

  /** The nearest scope that has the variable. */
  private find(name: string): Map<string, unknown> {
    if (this.own.has(name)) return this.own;
    if (this.outer) return this.outer.find(name);
    throw new TemplateError(`undefined variable "${name}"`);
  }

  get(name: string): unknown {
    return this.find(name).get(name);
  }

  assign(name: string, value: unknown): void {
    this.find(name).set(name, value);
  }
}

/** How functions behave: as they should, or for a table's header, which they leave alone. */
type Mode = "apply" | "plain";
/** What a block ended with, where that was not its end. */
type Jump = "break" | "continue" | undefined;

/** Reads a Go template once; the result applies it to a value. Throws TemplateError, at either time. */
export function compileTemplate(template: string): (data: unknown, mode?: Mode) => string {
  const nodes = parseTemplate(template);
  const parts = nodes.map(partOf);
  if (parts.every((part) => part !== undefined))
    return (data) => {
      let text = "";
      for (const part of parts) text += part(data);
      return text;
    };
  return (data, mode = "apply") => {
    const run = new Run(mode);
    run.block(nodes, data, new Scope().declare("$", data));
    return run.output.join("");
  };
}

/** Text, or a field, which is all that a table of many rows needs as a rule; undefined for what is more than that. */
function partOf(node: Node): ((data: unknown) => string) | undefined {
  if (node.kind === "text") return () => node.text;
  if (node.kind !== "show" || node.value.kind !== "field" || node.value.of.kind !== "dot") return undefined;
  const { name } = node.value;
  return (data) => show(fieldOf(data, name));
}

/** Applies a Go template to a value. */
export function renderTemplate(template: string, data: unknown): string {
  return compileTemplate(template)(data);
}

class Run {
  readonly output: string[] = [];
  constructor(private readonly mode: Mode) {}

  block(nodes: readonly Node[], dot: unknown, scope: Scope): Jump {
    for (const node of nodes) {
      const jump = this.node(node, dot, scope);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  private node(node: Node, dot: unknown, scope: Scope): Jump {
    if (node.kind === "break" || node.kind === "continue") return node.kind;
    if (node.kind === "text") this.output.push(node.text);
    else if (node.kind === "show") this.output.push(show(this.value(node.value, dot, scope)));
    else if (node.kind === "set") {
      const value = this.value(node.value, dot, scope);
      if (node.declare) scope.declare(node.name, value);
      else scope.assign(node.name, value);
    } else if (node.kind === "range") return this.range(node, dot, scope);
    else {
      const value = this.value(node.value, dot, scope);
      const inner = new Scope(scope).declare(node.names[0], value);
      if (!isTrue(value)) return this.block(node.otherwise, dot, inner);
      return this.block(node.body, node.kind === "with" ? value : dot, inner);
    }
    return undefined;
  }

  private range(node: Node & { kind: "if" | "with" | "range" }, dot: unknown, scope: Scope): Jump {
    const entries = entriesOf(this.value(node.value, dot, scope));
    if (entries.length === 0) return this.block(node.otherwise, dot, new Scope(scope));
    const [first, second] = node.names;
    for (const [key, element] of entries) {
      const inner = new Scope(scope)
        .declare(first, second === undefined ? element : key)
        .declare(second, element);
      if (this.block(node.body, element, inner) === "break") break;
    }
    return undefined;
  }

  private value(expression: Expression, dot: unknown, scope: Scope): unknown {
    switch (expression.kind) {
      case "dot":
        return dot;
      case "constant":
        return expression.value;
      case "variable":
        return scope.get(expression.name);
      case "field":
        return fieldOf(this.value(expression.of, dot, scope), expression.name);
      case "call":
        return this.call(expression, dot, scope);
    }
  }

  private call(call: Expression & { kind: "call" }, dot: unknown, scope: Scope): unknown {
    if (call.name === "and" || call.name === "or") {
      let value: unknown;
      for (const arg of call.args) {
        value = this.value(arg, dot, scope);
        if (isTrue(value) === (call.name === "or")) break;
      }
      return value;
    }
    const args = call.args.map((arg) => this.value(arg, dot, scope));
    if (this.mode === "plain") return args.find((arg) => typeof arg === "string");
    return FUNCTIONS[call.name]?.(...args);
  }
}

/** What `range` goes through: a list by index, a map by key in order, nothing of nil. */
function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((element, index) => [index, element]);
  if (value === null || value === undefined) return [];
  if (typeof value !== "object") throw new TemplateError(`range can't iterate over ${show(value)}`);
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
