/** A host beyond the one that containers run on: a network namespace, and a link between the two. */
import { afterAll, beforeAll } from "bun:test";
import { quietly } from "./leftovers.ts";

/** Whether this kernel filters and translates for us: the virtual machine's has no nf_tables for IPv4. */
export const NFT = await (async () => {
  const { Firewall } = await import("../../src/network/firewall.ts");
  return quietly(() => {
    const firewall = new Firewall(`mydocker-probe-${process.pid}`);
    try {
      firewall.rebuild([], [], []);
      return true;
    } finally {
      quietly(() => firewall.remove(), undefined);
      firewall.close();
    }
  }, false);
})();

export const NO_NFT = "no nf_tables here";

function must(command: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command as string[]);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString()}`);
}

export interface Host {
  readonly address: string;
  readonly address6: string;
}

/** This host as the outside one sees it, and that one. */
export const HERE: Host = { address: "198.51.100.1", address6: "2001:db8:51::1" };
export const THERE: Host = { address: "198.51.100.2", address6: "2001:db8:51::2" };

/** The outside host, for the tests of the file that calls it. */
export class Outside {
  private readonly name = `mdt-${process.pid}`;
  private readonly link = `mdt${process.pid}`.slice(0, 15);
  private readonly children: Bun.Subprocess[] = [];

  constructor() {
    beforeAll(() => this.open());
    afterAll(() => this.close());
  }

  private open(): void {
    must(["ip", "netns", "add", this.name]);
    must(["ip", "link", "add", this.link, "type", "veth", "peer", "name", "eth0", "netns", this.name]);
    const there = ["ip", "-n", this.name];
    must(["ip", "addr", "add", `${HERE.address}/24`, "dev", this.link]);
    must([...there, "addr", "add", `${THERE.address}/24`, "dev", "eth0"]);
    must(["ip", "link", "set", this.link, "up"]);
    must([...there, "link", "set", "eth0", "up"]);
    must([...there, "link", "set", "lo", "up"]);
    must(["ip", "addr", "add", `${HERE.address6}/64`, "dev", this.link, "nodad"]);
    must([...there, "addr", "add", `${THERE.address6}/64`, "dev", "eth0", "nodad"]);
    // it knows the way to what is behind us, and tries
    must([...there, "route", "add", "default", "via", HERE.address]);
    must([...there, "-6", "route", "add", "default", "via", HERE.address6]);
  }

  private async close(): Promise<void> {
    for (const child of this.children) child.kill("SIGKILL");
    await Promise.all(this.children.map((child) => child.exited));
    quietly(() => must(["ip", "link", "del", this.link]), undefined);
    quietly(() => must(["ip", "netns", "del", this.name]), undefined);
  }

  /** The command line that runs `command` there. */
  command(command: readonly string[]): string[] {
    return ["nsenter", `--net=/run/netns/${this.name}`, ...command];
  }

  /** Runs a program there: its output where it succeeds, else undefined. */
  run(...command: string[]): string | undefined {
    const { exitCode, stdout } = Bun.spawnSync(this.command(command), { stdin: "ignore" });
    return exitCode === 0 ? stdout.toString() : undefined;
  }

  /** What a server says to somebody there; undefined where it cannot be reached. */
  fetch(url: string, seconds = 3): string | undefined {
    return this.script(FETCH, url, String(seconds));
  }

  /** Runs a script of Bun's there. */
  script(text: string, ...args: string[]): string | undefined {
    return this.run(process.execPath, "-e", text, ...args);
  }

  /** Starts a program there that goes on. */
  start(...command: string[]): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    const child = Bun.spawn(this.command(command), { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    this.children.push(child);
    return child;
  }
}

/** For `bun -e`: prints what the server at its first argument says, within its second in seconds. */
export const FETCH = `
const [url, seconds] = process.argv.slice(-2);
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(Number(seconds) * 1000) });
  process.stdout.write(await answer.text());
} catch { process.exit(1); }`;
