import { networkPaths } from "../../container/paths.ts";
import { print } from "../../linux/process.ts";
import { listAttachments } from "../../network/attachment.ts";
import { allNetworks } from "../../network/make.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { combineFilters, hasLabel } from "../filter.ts";
import { formatRows } from "../format.ts";
import { type ListedNetwork, withModes } from "../network-view.ts";

const HEADERS = {
  ID: "NETWORK ID",
  Name: "NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  IPv6: "IPV6",
  Internal: "INTERNAL",
  Labels: "LABELS",
  CreatedAt: "CREATED AT",
};

/** `network ls`. */
export const command: Command = {
  name: "network ls",
  summary: "List networks",
  usage: "[OPTIONS]",
  flags: [
    { name: "quiet", short: "q", kind: "bool", help: "Only the ids" },
    { name: "no-trunc", kind: "bool", help: "Whole ids" },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
    {
      name: "filter",
      short: "f",
      kind: "list",
      value: "KEY=VALUE",
      help: "id, name, driver, label, scope, type, dangling",
    },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker network ls", "mydocker network ls -q --filter type=custom"],
  run,
};

function run(input: Parsed): number {
  const paths = networkPaths(enginePaths());
  const used = new Set(
    listAttachments(paths).flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)),
  );
  const fits = combineFilters(input.list("filter"), (key, value) => testFor(key, value, used));
  const listed = withModes(allNetworks(paths)).filter(fits);
  const whole = input.bool("no-trunc");
  const rows = listed.map(({ id, name, driver, record }) => ({
    ID: whole ? id : id.slice(0, 12),
    Name: name,
    Driver: driver,
    Scope: "local",
    IPv6: String(record?.pools.some(({ subnet }) => subnet.includes(":")) ?? false),
    Internal: String(record?.internal ?? false),
    Labels: Object.entries(record?.labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    CreatedAt: record?.created ?? "",
  }));
  if (input.bool("quiet")) print(1, rows.map(({ ID }) => `${ID}\n`).join(""));
  else {
    const usual = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
    print(1, formatRows(input.text("format") || "table", HEADERS, rows, usual));
  }
  return 0;
}

function testFor(key: string, value: string, used: ReadonlySet<string>): (one: ListedNetwork) => boolean {
  const builtIn = ({ name }: ListedNetwork): boolean => ["bridge", "host", "none"].includes(name);
  switch (key) {
    case "id":
      return ({ id }) => id.startsWith(value);
    case "name":
      return ({ name }) => name.includes(value);
    case "driver":
      return ({ driver }) => driver === value;
    case "scope":
      return () => value === "local";
    case "label":
      return ({ record }) => hasLabel(record?.labels ?? {}, value);
    case "type":
      if (value !== "custom" && value !== "builtin")
        throw new UsageError(`invalid filter 'type=${value}': it is custom or builtin`);
      return (one) => builtIn(one) === (value === "builtin");
    case "dangling":
      return (one) => (!builtIn(one) && !used.has(one.id)) === /^(true|1)$/i.test(value);
    default:
      throw new UsageError(
        `invalid filter '${key}': there are id, name, driver, label, scope, type and dangling`,
      );
  }
}
