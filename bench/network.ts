/**
 * What a container's network carries and costs, in a network namespace of the benchmark's own:
 *
 *   npx bun bench/network.ts [--rounds N] [--many N] [--binary FILE]
 *
 * One TCP connection from a container to its host, beside one over a pair of links made by hand, in alternating rounds; and
 * many containers on one network: started at once, their names, and removed at once.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { CLONE, unshare } from "../src/linux/mount.ts";
import { loopbackUp } from "../src/linux/socket.ts";
import { output, summary } from "./measure.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    many: { type: "string", default: "200" },
    binary: { type: "string", default: `${import.meta.dir}/../dist/mydocker` },
  },
});
const rounds = Number(values.rounds);
const many = Number(values.many);
const SECONDS = "1";

unshare(CLONE.NEWNET);
loopbackUp();
const folder = mkdtempSync("/var/tmp/mydocker-bench-");
const env = { MYDOCKER_ROOT: `${folder}/root`, MYDOCKER_RUN: `${folder}/run` };
const mydocker = (...args: string[]): string => output({ argv: [values.binary, ...args], env }).trim();
const run = (...argv: string[]): string => output({ argv }).trim();
const children: Bun.Subprocess[] = [];

/** MB a second from a network namespace of a process to an address of ours. */
function carried(pid: number, address: string): number {
  return Number(run("nsenter", "-t", String(pid), "-n", `${folder}/tcp`, "send", address, "5001", SECONDS));
}

/** A pair of links between us and a process that only holds a network namespace. */
async function handMade(): Promise<number> {
  const holder = Bun.spawn(["unshare", "-n", "sh", "-c", "echo; exec sleep 1000"], { stdout: "pipe" });
  children.push(holder);
  await holder.stdout.getReader().read();
  const inside = ["nsenter", "-t", String(holder.pid), "-n"];
  run("ip", "link", "add", "hand", "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid));
  run("ip", "addr", "add", "10.99.0.1/24", "dev", "hand");
  run("ip", "link", "set", "hand", "up");
  run(...inside, "ip", "addr", "add", "10.99.0.2/24", "dev", "eth0");
  run(...inside, "ip", "link", "set", "eth0", "up");
  return holder.pid;
}

async function throughput(): Promise<void> {
  run("gcc", "-O2", "-Wall", "-Wextra", "-Werror", `${import.meta.dir}/tcp.c`, "-o", `${folder}/tcp`);
  children.push(Bun.spawn([`${folder}/tcp`, "serve", "5001"], { stdio: ["ignore", "ignore", "inherit"] }));
  mydocker("run", "-d", "--name", "one", "busybox", "sleep", "1000");
  const container = Number(mydocker("inspect", "-f", "{{.State.Pid}}", "one"));
  const gateway = mydocker("inspect", "-f", "{{.NetworkSettings.Gateway}}", "one");
  const hand = await handMade();
  const [ours, theirs]: number[][] = [[], []];
  for (let round = -1; round < rounds; round++) {
    const both = [carried(container, gateway), carried(hand, "10.99.0.1")];
    if (round < 0) continue;
    ours?.push(both[0] ?? 0);
    theirs?.push(both[1] ?? 0);
  }
  mydocker("rm", "-f", "one");
  const [a, b] = [summary("container", ours ?? []), summary("by hand", theirs ?? [])];
  const ratio = a.median / b.median;
  process.stdout.write(
    `one TCP connection to the host, MB/s (median, best of ${rounds}):\n` +
      `  container, by its bridge   ${a.median.toFixed(0)}  ${Math.max(...a.samples).toFixed(0)}\n` +
      `  veth pair made by hand     ${b.median.toFixed(0)}  ${Math.max(...b.samples).toFixed(0)}\n` +
      `  aim: at least 0.95 of it: ${ratio >= 0.95 ? "met" : "missed"} (${ratio.toFixed(3)})\n\n`,
  );
}

async function crowd(): Promise<void> {
  mydocker("network", "create", "crowd");
  const names = Array.from({ length: many }, (_, n) => `crowd${n}`);
  const time = async (work: () => unknown): Promise<string> => {
    const begin = performance.now();
    await work();
    return `${((performance.now() - begin) / 1000).toFixed(2)} s`;
  };
  const started = await time(async () => {
    // four at a time, as somebody's script would
    const left = [...names];
    const worker = async (): Promise<void> => {
      for (let name = left.shift(); name !== undefined; name = left.shift()) {
        const argv = [
          values.binary,
          "run",
          "-d",
          "--name",
          name,
          "--network",
          "crowd",
          "busybox",
          "sleep",
          "1000",
        ];
        await Bun.spawn(argv, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "inherit"] })
          .exited;
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
  });
  const hosts = mydocker("exec", "crowd0", "cat", "/etc/hosts");
  const known = names.filter((name) => hosts.includes(`\t${name} `)).length;
  const reached = names.slice(1).filter((name) => {
    const ping = ["exec", "crowd0", "ping", "-c1", "-W2", name];
    return Bun.spawnSync([values.binary, ...ping], { env: { ...process.env, ...env }, stdout: "ignore" })
      .success;
  }).length;
  const removed = await time(() => mydocker("rm", "-f", ...names));
  const links = run("sh", "-c", "ip -o link | grep -c veth || true");
  mydocker("network", "rm", "crowd");
  process.stdout.write(
    `${many} containers on one network: started in ${started}, the first knows ${known} and reaches ${reached} of the others by name, removed in ${removed}; links left: ${links}\n`,
  );
}

try {
  await throughput();
  await crowd();
} finally {
  const ids = mydocker("ps", "-aq")
    .split("\n")
    .filter((id) => id !== "");
  if (ids.length > 0) mydocker("rm", "-f", ...ids);
  for (const child of children) child.kill("SIGKILL");
  await Bun.sleep(200);
  rmSync(folder, { recursive: true, force: true });
}
