import { readEvents } from "../../container/events.ts";
import type { Event } from "../../container/journal.ts";
import { print } from "../../linux/process.ts";
import { rawNumber } from "../../linux/text.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { combineFilters, hasLabel } from "../filter.ts";
import { compileTemplate } from "../template.ts";
import { parseTimestamp } from "../units.ts";

/** `events`: what happens to containers, as it happens. */
export const command: Command = {
  name: "events",
  summary: "Show what happens to containers",
  usage: "[OPTIONS]",
  flags: [
    { name: "since", kind: "string", value: "TIME", help: "Also what was, from this time on" },
    { name: "until", kind: "string", value: "TIME", help: "Only up to this time" },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "KEY=VALUE",
      help: "container, event, image, label, type",
    },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template such as {{.Action}}" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: [
    "mydocker events --since 1h --until 0s",
    "mydocker events -f event=oom --format '{{.Actor.Attributes.name}}'",
  ],
  run,
};

async function run(input: Parsed): Promise<number> {
  const time = (flag: string): number | undefined => {
    const text = input.text(flag);
    return text ? Number(parseTimestamp(text, Date.now()) / 1_000_000n) : undefined;
  };
  const fits = combineFilters(input.list("filter"), testFor);
  const show = eventFormat(input.text("format"));
  await readEvents(enginePaths(), { since: time("since"), until: time("until") }, (event) => {
    if (fits(event)) print(1, `${show(event)}\n`);
  });
  return 0;
}

function testFor(key: string, value: string): (event: Event) => boolean {
  switch (key) {
    case "container":
      return ({ id, attributes }) => attributes.name === value || (value !== "" && id.startsWith(value));
    case "event":
      return ({ action }) => action === value;
    case "image":
      return ({ attributes }) =>
        attributes.image === value || attributes.image === value.replace(/:latest$/, "");
    case "label":
      return ({ attributes }) => hasLabel(attributes, value);
    case "type":
      return () => value === "container";
    default:
      throw new UsageError(`invalid filter '${key}': there are container, event, image, label and type`);
  }
}

function eventFormat(format: string | undefined): (event: Event) => string {
  if (!format) return showEvent;
  if (format === "json") return (event) => JSON.stringify(inDockersForm(event));
  const template = compileTemplate(format);
  return (event) => template(inDockersForm(event));
}

/** Docker's own form of a line. */
function showEvent(event: Event): string {
  const { time, action, id, attributes } = withExitCode(event);
  const listed = Object.keys(attributes)
    .sort()
    .map((key) => `${key}=${attributes[key]}`)
    .join(", ");
  return `${time} container ${action} ${id} (${listed})`;
}

function withExitCode(event: Event): Event {
  const { attributes, exitCode } = event;
  return exitCode === undefined
    ? event
    : { ...event, attributes: { ...attributes, exitCode: String(exitCode) } };
}

/** The event with the fields of Docker's API; in JSON some of them are written small. */
function inDockersForm(event: Event): Record<string, unknown> {
  const { time, action, id, attributes } = withExitCode(event);
  const nanoseconds = parseTimestamp(time, 0);
  const fields = {
    Status: action,
    ID: id,
    From: attributes.image ?? "",
    Type: "container",
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    Scope: "local",
    Time: Number(nanoseconds / 1_000_000_000n),
    TimeNano: nanoseconds,
  };
  const { Status, ID, From, Scope, Time, TimeNano, ...rest } = fields;
  const json = { status: Status, id: ID, from: From, ...rest, scope: Scope, time: Time };
  return Object.defineProperty(fields, "toJSON", {
    value: () => ({ ...json, timeNano: rawNumber(String(TimeNano)) }),
  });
}
