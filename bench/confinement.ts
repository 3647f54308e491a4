/**
 * Compares what a program in a container may do under mydocker, Docker and Podman, each with its own defaults, and what flags
 * change of that; see docs/security.md, whose tables this makes.
 *
 *   npx bun bench/confinement.ts [--write] [--quick] [--binary FILE] [--docker-profile FILE] [--podman-profile FILE]
 *
 * --write puts the tables into docs/security.md; otherwise they are printed. --quick leaves out the flags. The two profiles are
 * the default ones of later versions than this machine's (moby/profiles, seccomp/default.json; containers/common,
 * pkg/seccomp/seccomp.json): they become columns of their own, run by mydocker.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { parseArgs } from "node:util";
import { ownCapabilities } from "../src/linux/capability.ts";
import { hasAppArmor } from "../src/linux/lsm.ts";
import { capabilityMask } from "../src/runtime/capabilities.ts";
import { type Column, tellCalls } from "./confine/calls.ts";
import { tellInside, type View } from "./confine/inside.ts";
import { replaceBetweenMarks } from "./confine/markdown.ts";
import { lookFromOutside, type Outside } from "./confine/outside.ts";
import { PATHS } from "./confine/paths.ts";
import { compilePrograms } from "./confine/programs.ts";
import { look, readState, readVerdicts, runIn, type State, type Subject } from "./confine/subject.ts";
import { type Compared, tellCapabilities, tellExec, tellVariants } from "./confine/variants.ts";
import type { Site } from "./engine.ts";
import { docker, type FoundFull, mydocker, podman } from "./full.ts";
import { output } from "./measure.ts";
import { startDockerd } from "./servers.ts";
import { openSite } from "./site.ts";

const DOCUMENT = `${import.meta.dir}/../docs/security.md`;

function say(text: string): void {
  process.stderr.write(`confinement: ${text}\n`);
}

const { values: options } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    binary: { type: "string", default: `${import.meta.dir}/../dist/mydocker` },
    "docker-profile": { type: "string" },
    "podman-profile": { type: "string" },
  },
});

async function findDocker(site: Site): Promise<FoundFull> {
  if (!Bun.which("dockerd")) return { name: "docker", missing: "no dockerd (apt-get install docker.io)" };
  try {
    process.env.DOCKER_HOST = (await startDockerd(site)).address;
    return docker(site);
  } catch (error) {
    return { name: "docker", missing: error instanceof Error ? error.message : String(error) };
  }
}

/** The version that counts: of Docker the daemon's. */
function titleOf(name: string, engine: Subject["engine"]): string {
  if (name === "docker")
    return `Docker ${output(engine.call("version", "--format", "{{.Server.Version}}")).trim()}`;
  if (name === "podman")
    return `Podman ${output(engine.version ?? engine.call("--version"))
      .split(" ")
      .at(-1)
      ?.trim()}`;
  return name;
}

interface Complete extends Compared, Outside {
  readonly unfiltered: State;
}

/** A container with all defaults, from both sides. */
function lookAt(subject: Subject, site: Site, host: State): Complete {
  say(subject.title);
  const seen = look(subject, [], PATHS);
  if ("missing" in seen) throw new Error(`${subject.title}: ${seen.missing}`);
  const unfiltered = readState(runIn(subject, ["--security-opt", "seccomp=unconfined"], "state"));
  // what is the host's, for what later containers of this engine are compared with
  const state = new Map([...seen.state, ["host", host.get("namespace") ?? new Map<string, string>()]]);
  return { subject, usual: { ...seen, state }, unfiltered, ...lookFromOutside(subject, site) };
}

/** Default profiles of versions that are not on this machine, run by mydocker. */
function profileColumns(all: readonly Complete[]): Column[] {
  const ours = all.find(({ subject }) => subject.name === "mydocker")?.subject;
  return (["docker", "podman"] as const).flatMap((name) => {
    const file = options[`${name}-profile`];
    if (!file || !ours) return [];
    const calls = readVerdicts(runIn(ours, ["--security-opt", `seccomp=${file}`], "calls"));
    return [{ title: `${name === "docker" ? "Docker" : "Podman"}'s later profile`, calls }];
  });
}

/** Of those that engines know: with one, the others confine by it by default. */
function securityModules(): string {
  const on = [hasAppArmor() ? "AppArmor" : "", existsSync("/sys/fs/selinux/enforce") ? "SELinux" : ""];
  return on.filter(Boolean).join(", ") || "neither AppArmor nor SELinux";
}

function versions(missing: readonly { name: string; missing: string }[]): string {
  const of = (program: string, argument: string): string =>
    Bun.which(program) ? (output({ argv: [program, argument] }).split("\n")[0] ?? "") : `no ${program}`;
  const rights =
    (ownCapabilities() & capabilityMask(["CAP_SYS_RESOURCE"])) === 0n
      ? "a root without CAP_SYS_RESOURCE"
      : "root";
  const lines = [
    `Made on ${new Date().toISOString().slice(0, 10)} by \`npx bun bench/confinement.ts\`, as ${rights}; Linux ${release()},`,
    `${process.arch}, ${securityModules()}; ${of("runc", "--version")} (under Docker); ${of("crun", "--version")} (under Podman).`,
    "Podman is told `--ulimit nofile=1024:1024 --ulimit nproc=4096:4096`, as it may not start without CAP_SYS_RESOURCE otherwise.",
    "All containers run with `--network none` unless their row says otherwise.",
    ...missing.map(({ name, missing: why }) => `**${name} could not be run: ${why}.**`),
  ];
  return lines.join("\n");
}

function report(
  all: readonly Complete[],
  host: State,
  missing: readonly { name: string; missing: string }[],
): string {
  const columns = all.map(({ subject, usual }): Column => ({ title: subject.title, calls: usual.calls }));
  const views = all.map(
    ({ subject, usual, ...rest }): View => ({ title: subject.title, state: usual.state, ...rest }),
  );
  const parts = [
    `## The tables\n\n${versions(missing)}`,
    tellCalls([...columns, ...profileColumns(all)]),
    tellInside(views, host),
  ];
  if (!options.quick)
    parts.push(
      `### What flags change\n\n${tellVariants(all, say)}`,
      `### What \`exec\` changes\n\n${tellExec(all)}`,
      `### What each capability brings\n\n${tellCapabilities(all, say)}`,
    );
  return parts.join("\n\n");
}

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("containers need root");
  const site = openSite(options.binary);
  try {
    const flags = compilePrograms(site, ["calls", "state"]);
    const engines = [mydocker(options.binary, site), await findDocker(site), podman(site)];
    const missing = engines.flatMap((one) => ("missing" in one ? [one] : []));
    const host = readState(output({ argv: [`${site.folder}/probe/state`] }));
    const all = engines.flatMap((engine) => {
      if ("missing" in engine) return [];
      const { name } = engine;
      return [lookAt({ title: titleOf(name, engine), name, engine, flags }, site, host)];
    });
    const text = report(all, host, missing);
    if (options.write) writeFileSync(DOCUMENT, replaceBetweenMarks(readFileSync(DOCUMENT, "utf8"), text));
    else process.stdout.write(`${text}\n`);
  } finally {
    site.close();
  }
}

process.exitCode = await main().then(
  () => 0,
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  },
);
