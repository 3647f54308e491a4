/**
 * Times mydocker beside the floor and other engines, whole processes in interleaved rounds.
 *
 *   npx bun bench/side-by-side/run.ts [--runs N] [--many] [--json]
 */
import { parseArgs } from "node:util";
import {
  cleanUp,
  FLOOR_PROGRAM,
  LAYER,
  MYDOCKER,
  mustCall,
  parentOf,
  prepare,
  privateDirty,
  ROOT,
  time,
} from "./host.ts";
import { findPeers, type Peer } from "./peers.ts";
import { FLOOR, figuresOf, type Row, renderTable } from "./table.ts";

const SPAWN = "spawn";
const MANY = 500;
const IDLE = 5;
const PAUSE = 20;
const RUN_COMMAND = [MYDOCKER, "run", "--rm", "--network", "none", "busybox", "true"];

/** A command to be timed in every round. */
interface Case {
  readonly name: string;
  readonly note: string;
  readonly aim?: Row["aim"];
  command(turn: number): readonly string[];
}

class Interrupted extends Error {}
let interrupted = false;

/** Every case once a round, so that what the machine does besides meets all of them alike. */
async function measure(group: string, cases: readonly Case[], runs: number): Promise<Row[]> {
  const samples = cases.map((): number[] => []);
  const failed = new Set<number>();
  // round 0 warms up
  for (let turn = 0; turn <= runs; turn++) {
    // in an order of its own, since every command slows the one that comes after it
    for (const { index, command } of shuffled(cases.map((one, index) => ({ index, command: one.command })))) {
      await breathe();
      if (failed.has(index)) continue;
      const took = time(command(turn + 1));
      if (took === undefined) failed.add(index);
      else if (turn > 0) samples[index]?.push(took);
    }
  }
  return cases.map(({ name, note, aim }, index) => ({
    group,
    name,
    samples: failed.has(index) ? [] : (samples[index] ?? []),
    note: failed.has(index) ? "failed" : note,
    ...(aim && { aim }),
  }));
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** Lets the kernel end what the last command left to it (a network namespace goes later), and signals be seen. */
async function breathe(): Promise<void> {
  await Bun.sleep(PAUSE);
  if (interrupted) throw new Interrupted();
}

function missingRows(group: string, peers: readonly Peer[]): Row[] {
  return peers
    .filter(({ missing }) => missing !== "")
    .map(({ name, missing }) => ({ group, name, samples: [], note: missing }));
}

function simple(name: string, command: readonly string[], aim?: Row["aim"]): Case {
  return { name, note: "", command: () => command, ...(aim && { aim }) };
}

async function measureRun(peers: readonly Peer[], runs: number): Promise<Row[]> {
  const cases = [
    simple("mydocker", RUN_COMMAND, { value: 2.2, of: "floor" }),
    simple(FLOOR, [FLOOR_PROGRAM, `${ROOT}/floor-state`, LAYER, "true"]),
    ...peers
      .filter(({ missing }) => missing === "")
      .map(({ name, note, run }): Case => ({ name, note, command: run })),
  ];
  mustCall(["mkdir", "-p", `${ROOT}/floor-state`]);
  return [...(await measure("run", cases, runs)), ...missingRows("run", peers)];
}

function startIdle(name: string): string {
  mustCall([MYDOCKER, "run", "-d", "--name", name, "--network", "none", "busybox", "sleep", "1000"]);
  return mustCall([MYDOCKER, "inspect", "--format", "{{.State.Pid}}", name]);
}

async function measureExec(pid: string, peers: readonly Peer[], runs: number): Promise<Row[]> {
  const cases = [
    simple("mydocker", [MYDOCKER, "exec", "idle-1", "true"], { value: 8, of: "unit" }),
    simple(FLOOR, [FLOOR_PROGRAM, "--exec", pid, "true"]),
    ...peers
      .filter(({ missing }) => missing === "")
      .map(({ name, note, exec }): Case => ({ name, note, command: exec })),
  ];
  return [...(await measure("exec", cases, runs)), ...missingRows("exec", peers)];
}

/** The processes of the engine itself that stay with an idle container: the program's parent, where it is not init. */
function measureMemory(pids: readonly string[], peerPids: ReadonlyMap<Peer, string>): Row[] {
  const monitor = (pid: string): number[] => {
    const parent = parentOf(pid);
    return parent === "1" || parent === String(process.pid) ? [] : [privateDirty(parent)];
  };
  const own = pids.flatMap(monitor);
  const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
  const row: Row = {
    group: "memory",
    name: "mydocker",
    samples: own.length === 0 ? [] : [mean],
    note: `mean of ${own.length}`,
    aim: { value: 512, of: "unit" },
  };
  const others = [...peerPids]
    .filter(([{ stays }]) => stays)
    .map(([{ name }, pid]): Row => ({ group: "memory", name, samples: monitor(pid), note: "1 container" }));
  return [row, ...others];
}

async function measureMany(runs: number): Promise<Row[]> {
  for (let number = IDLE + 1; number <= MANY; number++) {
    await Bun.sleep(0);
    if (interrupted) throw new Interrupted();
    mustCall([
      MYDOCKER,
      "run",
      "-d",
      "--name",
      `idle-${number}`,
      "--network",
      "none",
      "busybox",
      "sleep",
      "1000",
    ]);
  }
  return measure(`ps, ${MANY}`, [simple("mydocker", [MYDOCKER, "ps"], { value: 15, of: "unit" })], runs);
}

async function measureAll(peers: readonly Peer[], runs: number, many: boolean): Promise<Row[]> {
  const spawn = [simple("/bin/true", ["/bin/true"]), simple("mydocker version", [MYDOCKER, "version"])];
  const rows = [...(await measureRun(peers, runs)), ...(await measure(SPAWN, spawn, runs))];
  const first = startIdle("idle-1");
  rows.push(
    ...(await measure("ps, 1", [simple("mydocker", [MYDOCKER, "ps"], { value: 7, of: "unit" })], runs)),
  );
  const peerPids = new Map<Peer, string>();
  for (const peer of peers) if (peer.missing === "") peerPids.set(peer, peer.idle());
  rows.push(...(await measureExec(first, peers, runs)));
  const pids = [first];
  for (let number = 2; number <= IDLE; number++) pids.push(startIdle(`idle-${number}`));
  rows.push(...measureMemory(pids, peerPids));
  if (many) rows.push(...(await measureMany(runs)));
  return rows;
}

async function main(): Promise<number> {
  const options = {
    runs: { type: "string", default: "50" },
    many: { type: "boolean" },
    json: { type: "boolean" },
  } as const;
  const { values } = parseArgs({ options });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1)
    throw new Error(`--runs wants a number from 1 on, not ${values.runs}`);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => (interrupted = true));
  let peers: Peer[] = [];
  try {
    prepare();
    peers = findPeers();
    const figures = figuresOf(await measureAll(peers, runs, values.many === true));
    console.log(values.json ? JSON.stringify(figures, null, 2) : renderTable(figures));
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return 130;
  } finally {
    for (const peer of peers) peer.close();
    cleanUp();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
