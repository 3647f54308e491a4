import { FUNCTIONS } from "./template/functions.ts";
import { type Expression, type Node, parseTemplate } from "./template/parser.ts";
import { fieldOf, isTrue, show, TemplateError } from "./template/values.ts";

type Variables = Map<string, unknown>;

/** Reads a Go template once; the result applies it to a value. Throws TemplateError, at either time. */
export function compileTemplate(template: string): (data: unknown) => string {
  const nodes = parseTemplate(template);
  return (data) => run(nodes, data, new Map([["$", data]]));
}

/** Applies a Go template to a value. */
export function renderTemplate(template: string, data: unknown): string {
  return compileTemplate(template)(data);
}

function run(nodes: readonly Node[], dot: unknown, variables: Variables): string {
  return nodes.map((node) => runOne(node, dot, variables)).join("");
}

function runOne(node: Node, dot: unknown, variables: Variables): string {
  if (node.kind === "text") return node.text;
  const value = evaluate(node.value, dot, variables);
  if (node.kind === "show") return show(value);
  if (node.kind === "set") {
    variables.set(node.name, value);
    return "";
  }
  if (node.kind === "range") return runRange(node, value, dot, variables);
  // what a block sets, its surroundings do not see, unless they had it
  const inner = new Map(variables);
  for (const name of node.names) inner.set(name, value);
  if (!isTrue(value)) return run(node.otherwise, dot, inner);
  return run(node.body, node.kind === "with" ? value : dot, inner);
}

function runRange(
  node: Node & { kind: "if" | "with" | "range" },
  value: unknown,
  dot: unknown,
  variables: Variables,
): string {
  const entries: [unknown, unknown][] = Array.isArray(value)
    ? value.map((element, index) => [index, element])
    : typeof value === "object" && value !== null
      ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      : [];
  if (entries.length === 0) return run(node.otherwise, dot, variables);
  const [first, second] = node.names;
  return entries
    .map(([key, element]) => {
      if (second !== undefined && first !== undefined) variables.set(first, key).set(second, element);
      else if (first !== undefined) variables.set(first, element);
      return run(node.body, element, variables);
    })
    .join("");
}

function evaluate(expression: Expression, dot: unknown, variables: Variables): unknown {
  switch (expression.kind) {
    case "dot":
      return dot;
    case "constant":
      return expression.value;
    case "variable":
      if (!variables.has(expression.name)) throw new TemplateError(`undefined variable "${expression.name}"`);
      return variables.get(expression.name);
    case "field":
      return fieldOf(evaluate(expression.of, dot, variables), expression.name);
    case "call": {
      const fn = FUNCTIONS[expression.name];
      return fn?.(...expression.args.map((arg) => evaluate(arg, dot, variables)));
    }
  }
}
