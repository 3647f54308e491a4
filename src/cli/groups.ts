import { UsageError } from "./errors.ts";

type Group = Readonly<Record<string, readonly string[]>>;

function same(names: string): Group {
  return Object.fromEntries(names.split(" ").map((name) => [name, [name]]));
}

/** Docker's commands in groups, by what they are called here: `image ls` is `images`. */
export const GROUPS: Readonly<Record<string, Group>> = {
  image: {
    ...{ ls: ["images"], list: ["images"], rm: ["rmi"], remove: ["rmi"], prune: ["image prune"] },
    ...{ ...same("pull push tag history load save import"), inspect: ["inspect", "--type=image"] },
  },
  container: {
    ...{ ls: ["ps"], list: ["ps"], ps: ["ps"], remove: ["rm"], inspect: ["inspect", "--type=container"] },
    prune: ["container prune"],
    ...same(
      "run create start stop restart kill pause unpause rm exec logs stats top update commit export port wait diff cp",
    ),
  },
  network: {
    ...{ list: ["network ls"], remove: ["network rm"] },
    ...Object.fromEntries(
      ["create", "ls", "inspect", "rm", "prune", "connect", "disconnect"].map((name) => [
        name,
        [`network ${name}`],
      ]),
    ),
  },
  volume: {
    ...{ list: ["volume ls"], remove: ["volume rm"] },
    ...Object.fromEntries(
      ["create", "ls", "inspect", "rm", "prune"].map((name) => [name, [`volume ${name}`]]),
    ),
  },
  system: { df: ["system df"], ...same("info events") },
};

/** The command, with its arguments, that `GROUP NAME` stands for. Throws UsageError where there is none. */
export function ungroup(group: string, rest: readonly string[]): readonly [name: string, ...rest: string[]] {
  const names = GROUPS[group] ?? {};
  const [name, ...others] = rest;
  const [command, ...flags] = name !== undefined && Object.hasOwn(names, name) ? (names[name] ?? []) : [];
  if (command !== undefined) return [command, ...flags, ...others];
  if (name === "--help" || name === "-h") return ["help"];
  const said = name === undefined || name.startsWith("-") ? group : `${group} ${name}`;
  throw new UsageError(`unknown command: ${said}: there are ${group} ${Object.keys(names).join(", ")}`, 1);
}
