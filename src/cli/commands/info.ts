import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { statusOf } from "../../container/liveness.ts";
import { listAll } from "../../container/store.ts";
import { listImages } from "../../image/store.ts";
import { hasAppArmor } from "../../linux/lsm.ts";
import { print } from "../../linux/process.ts";
import { hasSeccomp } from "../../linux/seccomp.ts";
import { cgroupLayout } from "../../runtime/cgroup/layout.ts";
import type { Command } from "../command.ts";
import { enginePaths } from "../engine.ts";
import { renderTemplate } from "../template.ts";
import { humanSize } from "../units.ts";
import { VERSION } from "../version.ts";

/** `info`: the engine and the host. */
export const command: Command = {
  name: "info",
  summary: "Show facts about the engine and the host",
  usage: "[OPTIONS]",
  flags: [{ name: "format", short: "f", kind: "string", value: "TEMPLATE", help: "json, or a Go template" }],
  args: { min: 0, max: 0 },
  interspersed: true,
  run: (input) => {
    const facts = gather();
    const format = input.text("format");
    if (format !== undefined)
      print(1, `${format === "json" ? JSON.stringify(facts) : renderTemplate(format, facts)}\n`);
    else
      print(
        1,
        ` Containers: ${facts.Containers}
  Running: ${facts.ContainersRunning}
  Paused: ${facts.ContainersPaused}
  Stopped: ${facts.ContainersStopped}
 Images: ${facts.Images}
 Version: ${facts.ServerVersion}
 Storage Driver: ${facts.Driver}
 Cgroup Version: ${facts.CgroupVersion}
 Security Options:
${facts.SecurityOptions.map(shownOption).join("\n")}
 Kernel Version: ${facts.KernelVersion}
 Operating System: ${facts.OperatingSystem}
 Architecture: ${facts.Architecture}
 CPUs: ${facts.NCPU}
 Total Memory: ${humanSize(facts.MemTotal)}
 Root Dir: ${facts.DockerRootDir}
`,
      );
    return 0;
  },
};

/** `name=seccomp,profile=builtin` as a line for its name and one for each of its values. */
function shownOption(option: string): string {
  const [name = "", ...values] = option.split(",").map((part) => part.split("="));
  return [
    `  ${name[1]}`,
    ...values.map(([key = "", value]) => `   ${key[0]?.toUpperCase()}${key.slice(1)}: ${value}`),
  ].join("\n");
}

function gather() {
  const paths = enginePaths();
  const containers = listAll(paths);
  const count = (status: string): number =>
    containers.filter(({ state }) => statusOf(state) === status).length;
  const [running, paused] = [count("running"), count("paused")];
  return {
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: listImages(paths.root).length,
    ServerVersion: VERSION,
    Driver: "overlay2",
    CgroupVersion: String(cgroupLayout().version),
    SecurityOptions: [
      ...(hasAppArmor() ? ["name=apparmor"] : []),
      ...(hasSeccomp() ? ["name=seccomp,profile=builtin"] : []),
      "name=cgroupns",
    ],
    KernelVersion: release(),
    OperatingSystem: distribution(),
    OSType: "linux",
    Architecture: process.arch === "x64" ? "x86_64" : "aarch64",
    NCPU: cpus().length,
    MemTotal: totalmem(),
    DockerRootDir: paths.root,
  };
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  } catch {
    return "Linux";
  }
}
