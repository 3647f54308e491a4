import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import type { Site } from "./engine.ts";

const PATIENCE_MS = 30_000;

/** Starts Debian's docker-registry on a free port of loopback, its data in the site's folder. Returns its host and port. */
export async function startRegistry(site: Site): Promise<string> {
  const folder = `${site.folder}/registry`;
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(folder);
  const config = {
    version: "0.1",
    log: { level: "error", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: host },
  };
  // JSON is YAML
  writeFileSync(`${folder}/config.yml`, JSON.stringify(config));
  await serve(site, ["docker-registry", "serve", `${folder}/config.yml`], () =>
    answers({ host: "127.0.0.1", port: Number(host.split(":")[1]) }),
  );
  return host;
}

/** Starts a Docker daemon with a store of its own, without bridge and iptables. Returns its address, and its pid. */
export async function startDockerd(site: Site): Promise<{ readonly address: string; readonly pid: number }> {
  const folder = `${site.folder}/dockerd`;
  mkdirSync(folder);
  const own = ["--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`, "-p", `${folder}/pid`];
  const address = `unix://${folder}/socket`;
  const argv = ["dockerd", "--bridge=none", "--iptables=false", ...own, "-H", address];
  const pid = await serve(site, argv, () => answers({ path: `${folder}/socket` }));
  return { address, pid };
}

/** Starts a server that ends with the site, and waits until it answers. */
async function serve(site: Site, argv: readonly string[], isUp: () => Promise<boolean>): Promise<number> {
  const log = `${site.folder}/${argv[0]}.log`;
  const child = Bun.spawn([...argv], { stdout: "ignore", stderr: Bun.file(log) });
  site.undo(() => end(child.pid));
  for (const give = Date.now() + PATIENCE_MS; !(await isUp()); await Bun.sleep(20))
    if (child.exitCode !== null || Date.now() > give)
      throw new Error(`${argv[0]} does not start: ${readFileSync(log, "utf8").trim().split("\n").at(-1)}`);
  return child.pid;
}

function end(pid: number): void {
  const isOver = (): boolean => {
    try {
      return / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return true;
    }
  };
  if (isOver()) return;
  process.kill(pid, "SIGTERM");
  for (const give = Date.now() + PATIENCE_MS; !isOver(); Bun.sleepSync(20))
    if (Date.now() > give) return process.kill(pid, "SIGKILL") && undefined;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
