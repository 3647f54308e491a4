import { volumePaths, volumesInUse } from "../../container/volumes.ts";
import { print } from "../../linux/process.ts";
import { listVolumes } from "../../volume/record.ts";
import type { Command, Parsed } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { formatRows } from "../format.ts";
import { volumeFilter } from "../volume-filter.ts";

const HEADERS = {
  Availability: "AVAILABILITY",
  Driver: "DRIVER",
  Group: "GROUP",
  Labels: "LABELS",
  Links: "LINKS",
  Mountpoint: "MOUNTPOINT",
  Name: "VOLUME NAME",
  Scope: "SCOPE",
  Size: "SIZE",
  Status: "STATUS",
};

/** `volume ls`. */
export const command: Command = {
  name: "volume ls",
  summary: "List volumes",
  usage: "[OPTIONS]",
  flags: [
    { name: "quiet", short: "q", kind: "bool", help: "Only the names" },
    { name: "format", kind: "string", value: "TEMPLATE", help: "json, or a Go template" },
    { name: "filter", short: "f", kind: "list", value: "KEY=VALUE", help: "dangling, driver, label, name" },
  ],
  args: { min: 0, max: 0 },
  interspersed: true,
  examples: ["mydocker volume ls", "mydocker volume ls -q --filter dangling=true"],
  run,
};

function run(input: Parsed): number {
  const engine = enginePaths();
  const paths = volumePaths(engine);
  const fits = volumeFilter(input.list("filter"), () => volumesInUse(engine));
  const listed = listVolumes(paths).filter(fits);
  if (input.bool("quiet")) {
    print(1, listed.map(({ name }) => `${name}\n`).join(""));
    return 0;
  }
  // what Docker does not know of a volume in a list is N/A there
  const unknown = { Availability: "N/A", Group: "N/A", Links: "N/A", Size: "N/A", Status: "N/A" };
  const rows = listed.map(({ name, labels }) => ({
    Availability: unknown.Availability,
    Driver: "local",
    Group: unknown.Group,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Links: unknown.Links,
    Mountpoint: paths.data(name),
    Name: name,
    Scope: "local",
    Size: unknown.Size,
    Status: unknown.Status,
  }));
  print(1, formatRows(input.text("format") || "table", HEADERS, rows, "{{.Driver}}\t{{.Name}}"));
  return 0;
}
