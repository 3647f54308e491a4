import { EngineError } from "../linux/errors.ts";
import type { ImageConfig } from "./image.ts";

type Change = (config: ImageConfig, text: string) => ImageConfig;

/** What `--change` may say, as in a Dockerfile (Docker's reference, "commit"). */
const CHANGES: Readonly<Record<string, Change>> = {
  CMD: (config, text) => ({ ...config, Cmd: command(config, text) }),
  // as Docker: with a new entrypoint an old command makes no sense
  ENTRYPOINT: ({ Cmd: _, ...config }, text) => ({ ...config, Entrypoint: command(config, text) }),
  ENV: (config, text) => ({
    ...config,
    Env: withVariables(config.Env ?? [], pairs(text, "ENV", variablesOf(config))),
  }),
  EXPOSE: (config, text) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...objects(words(text).map(port)) },
  }),
  HEALTHCHECK: (config, text) => ({ ...config, Healthcheck: healthcheck(text) }),
  LABEL: (config, text) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairs(text, "LABEL", variablesOf(config))) },
  }),
  ONBUILD: (config, text) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), text] }),
  SHELL: (config, text) => ({ ...config, Shell: list(text) ?? fail("SHELL needs a JSON list of texts") }),
  STOPSIGNAL: (config, text) => ({ ...config, StopSignal: text }),
  USER: (config, text) => ({ ...config, User: text }),
  VOLUME: (config, text) => ({
    ...config,
    Volumes: { ...config.Volumes, ...objects(list(text) ?? words(text)) },
  }),
  WORKDIR: (config, text) => ({
    ...config,
    WorkingDir: text.startsWith("/") ? text : `${config.WorkingDir || ""}/${text}`.replace(/^\/?/, "/"),
  }),
};

/** A configuration with changes made to it. Throws EngineError for one that is none. */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  return changes.reduce((before, change) => {
    const match = /^\s*([A-Za-z]+)(?:\s+([\s\S]*?))?\s*$/.exec(change);
    const name = match?.[1]?.toUpperCase() ?? "";
    const apply = Object.hasOwn(CHANGES, name) ? CHANGES[name] : undefined;
    if (apply === undefined)
      throw new EngineError(
        `invalid change ${JSON.stringify(change)}: ${name || "it"} is none of ${Object.keys(CHANGES).join(", ")}`,
      );
    const text = match?.[2] ?? "";
    if (text === "") throw new EngineError(`invalid change ${JSON.stringify(change)}: ${name} needs a value`);
    return apply(before, text);
  }, config);
}

function fail(why: string): never {
  throw new EngineError(`invalid change: ${why}`);
}

/** A JSON list of texts, the exec form; undefined where it is none. */
function list(text: string): string[] | undefined {
  if (!text.startsWith("[")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((one): one is string => typeof one === "string")) return value;
  } catch {
    // then it is the shell form, as with Docker
  }
  return undefined;
}

/** The exec form as it is, the shell form for the image's shell. */
function command({ Shell }: ImageConfig, text: string): string[] {
  return list(text) ?? [...(Shell ?? ["/bin/sh", "-c"]), text];
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function objects(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function port(text: string): string {
  const match = /^([0-9]{1,5}(?:-[0-9]{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (!match) return fail(`EXPOSE ${text}: use a port such as 80 or 53/udp`);
  return `${match[1]}/${(match[2] ?? "tcp").toLowerCase()}`;
}

type Variables = ReadonlyMap<string, string>;

function variablesOf({ Env }: ImageConfig): Variables {
  return new Map(
    (Env ?? []).map((entry) => [entry.split("=", 1)[0] ?? "", entry.slice(entry.indexOf("=") + 1)]),
  );
}

/** `$K` and `${K}` as in a Dockerfile: of the environment so far, empty where there is none; `\\$` is a dollar. */
function expand(text: string, variables: Variables): string {
  return text.replace(/\\(\$)|\$(?:\{(\w+)\}|(\w+))/g, (_, dollar, braced, plain) =>
    dollar === undefined ? (variables.get(braced ?? plain) ?? "") : "$",
  );
}

/** `K=V K2="V 2"`, or the old `K V` of one variable. */
function pairs(text: string, what: string, variables: Variables): [string, string][] {
  if (!/^[^\s="']+=/.test(text)) {
    const match = /^(\S+)\s+([\s\S]+)$/.exec(text);
    if (!match) return fail(`${what} ${text}: use KEY=VALUE`);
    return [[match[1] ?? "", expand(match[2] ?? "", variables)]];
  }
  const found: [string, string][] = [];
  const pattern = /\s*([^\s=]+)=((?:"(?:[^"\\]|\\[\s\S])*"|'[^']*'|\\[\s\S]|[^\s"'\\])*)/gy;
  let end = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    end = pattern.lastIndex;
    found.push([unquote(match[1] ?? "", variables), unquote(match[2] ?? "", variables)]);
  }
  return text.slice(end).trim() === ""
    ? found
    : fail(`${what} ${text}: use KEY=VALUE, with quotes around blanks`);
}

/** Without its quotes; variables are not looked up in single ones. */
function unquote(text: string, variables: Variables): string {
  const parts = text.match(/"(?:[^"\\]|\\[\s\S])*"|'[^']*'|(?:[^"'\\]|\\[\s\S])+/g) ?? [];
  return parts
    .map((part) => {
      if (part.startsWith("'")) return part.slice(1, -1);
      if (part.startsWith('"')) return expand(part.slice(1, -1), variables).replace(/\\(["\\])/g, "$1");
      return expand(part, variables).replace(/\\([\s\S])/g, "$1");
    })
    .join("");
}

function withVariables(env: readonly string[], added: readonly (readonly [string, string])[]): string[] {
  const merged = new Map(env.map((entry) => [entry.split("=", 1)[0] ?? "", entry]));
  for (const [key, value] of added) merged.set(key, `${key}=${value}`);
  return [...merged.values()];
}

const DURATION = /^([0-9.]+(ns|us|µs|ms|s|m|h))+$/;
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

function nanoseconds(text: string): number {
  if (!DURATION.test(text)) return fail(`HEALTHCHECK: '${text}' is no duration such as 30s`);
  let sum = 0;
  for (const [, number, unit = ""] of text.matchAll(/([0-9.]+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(number) * (UNITS[unit] ?? 0);
  return sum;
}

const HEALTH_FLAGS: Readonly<Record<string, string>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
};

/** `NONE`, or `[--interval=30s …] CMD COMMAND`. */
function healthcheck(text: string): object {
  if (text.toUpperCase() === "NONE") return { Test: ["NONE"] };
  const check: Record<string, unknown> = {};
  let rest = text;
  for (
    let flag = /^--([a-z-]+)=(\S+)\s+/.exec(rest);
    flag !== null;
    flag = /^--([a-z-]+)=(\S+)\s+/.exec(rest)
  ) {
    const [whole, name = "", value = ""] = flag;
    const field = HEALTH_FLAGS[name];
    if (field !== undefined) check[field] = nanoseconds(value);
    else if (name === "retries" && /^[0-9]+$/.test(value)) check.Retries = Number(value);
    else fail(`HEALTHCHECK: --${name}=${value} is none of its options`);
    rest = rest.slice(whole.length);
  }
  const match = /^CMD\s+([\s\S]+)$/i.exec(rest);
  if (!match) return fail("HEALTHCHECK is NONE, or CMD with a command");
  const exec = list(match[1] ?? "");
  const test = exec ? ["CMD", ...exec] : ["CMD-SHELL", match[1] ?? ""];
  return { Test: test, ...check };
}
