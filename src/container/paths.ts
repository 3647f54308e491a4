import { mkdirAll } from "../linux/file.ts";
import { NetworkPaths } from "../network/record.ts";

/** Where everything is kept (DESIGN, "State on disk"). `root` outlives a boot, `run` does not. */
export class Paths {
  constructor(
    readonly root: string,
    readonly run: string,
  ) {}

  get containers(): string {
    return `${this.root}/containers`;
  }
  /** The journal of events, and the one before it. */
  get events(): string {
    return `${this.root}/events.jsonl`;
  }
  get olderEvents(): string {
    return `${this.root}/events.1.jsonl`;
  }
  get names(): string {
    return `${this.root}/names`;
  }
  /** Which container has which range of the host's user ids. */
  get idClaims(): string {
    return `${this.root}/ids`;
  }
  /** The folder of one container; it exists from the first step of its creation on. */
  container(id: string): string {
    return `${this.root}/containers/${id}`;
  }
  /** What makes a container one: without it the folder is half-made, or half-removed. */
  record(id: string): string {
    return `${this.container(id)}/record.json`;
  }
  /** Its OCI runtime spec. */
  spec(id: string): string {
    return `${this.container(id)}/config.json`;
  }
  /** The group that its group is below, where that is not the usual one; written before any group is made. */
  cgroupParent(id: string): string {
    return `${this.container(id)}/cgroup-parent`;
  }
  /** Where its image is mounted with its own user ids while its root is being mounted. */
  mapped(id: string): string {
    return `${this.overlay(id)}/mapped`;
  }
  /** The names of its volumes that nobody has named, while they are to go with it. */
  anonymous(id: string): string {
    return `${this.container(id)}/anonymous`;
  }
  /** Tells its monitor that there is more to give back than it can (csrc/monitor.c). */
  unsettled(id: string): string {
    return `${this.container(id)}/unsettled`;
  }
  /** Locked by who changes a container that may be running. */
  changing(id: string): string {
    return `${this.container(id)}/changing`;
  }
  log(id: string): string {
    return `${this.container(id)}/container.log`;
  }
  /** How its last run ended, written by the monitor. */
  exit(id: string): string {
    return `${this.container(id)}/exit.json`;
  }
  /** Why it could not be started last time, where it could not. */
  failure(id: string): string {
    return `${this.container(id)}/failure`;
  }
  /** Tells a monitor that its container is to stay, though it goes with its program (csrc/monitor.c). */
  restarting(id: string): string {
    return `${this.container(id)}/restarting`;
  }
  /** A link to the id; making it is taking the name. */
  name(name: string): string {
    return `${this.root}/names/${name}`;
  }
  overlay(id: string): string {
    return `${this.root}/overlay2/${id}`;
  }
  merged(id: string): string {
    return `${this.overlay(id)}/merged`;
  }
  upper(id: string): string {
    return `${this.overlay(id)}/upper`;
  }
  work(id: string): string {
    return `${this.overlay(id)}/work`;
  }
  /** The folder of a container in /run, by name: the classic place. */
  runFolder(name: string): string {
    return `${this.run}/${name}`;
  }
  /** The container's present state, as the classic tools read it. */
  state(name: string): string {
    return `${this.run}/${name}/config.json`;
  }

  /** Makes the folders that everything else lies in; only root may look into them. */
  make(): void {
    for (const folder of [
      this.root,
      this.containers,
      this.names,
      `${this.root}/overlay2`,
      `${this.root}/image`,
      this.run,
    ])
      mkdirAll(folder, 0o700);
  }
}

/** Where the networks of the same engine are. */
export function networkPaths({ root, run }: Paths): NetworkPaths {
  return new NetworkPaths(root, run);
}
