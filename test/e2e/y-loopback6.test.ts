/** Published ports by the host's ::1, which the container's proxy serves (csrc/proxy.c): by real traffic. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  background,
  describeWhere,
  fails,
  mydocker,
  newName,
  ok,
  quietly,
  RUN,
  statusField,
  suite,
  until,
} from "./harness.ts";
import { addressOf, withNetwork } from "./networks.ts";
import { HERE, NFT, NO_NFT, Outside } from "./outside.ts";
import {
  ECHO,
  fetchHere,
  HELLO,
  monitorOf,
  NET,
  notes,
  ROUND,
  run,
  SLEEP,
  serve,
  traffic,
  UDP_ECHO,
  withServer,
} from "./traffic.ts";

traffic();
suite();
const outside = new Outside();
const LOOPBACK_TABLE = /^ *\d+: 0{24}01000000:([0-9A-F]{4}) /gm;

/** The proxies of a container's monitor. */
function proxiesOf(monitor: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => statusField(pid, "Name") === "mydocker:prx" && monitorOf(pid) === monitor);
}

const gone = (pid: number): boolean => ["", "Z (zombie)"].includes(statusField(pid, "State"));

/** Ports on which somebody listens at ::1. */
function heardOn(): number[] {
  const table = ["tcp6", "udp6"].map((name) => readFileSync(`/proc/self/net/${name}`, "utf8")).join("\n");
  return [...table.matchAll(LOOPBACK_TABLE)].map(([, port = ""]) => Number.parseInt(port, 16));
}

describeWhere(NFT, NO_NFT, "a published port by ::1", () => {
  test("answers, from the host only, with a proxy once somebody asks; all of it goes with the container", async () => {
    const { name, pid } = await background("-p", "18400:80", ...SLEEP);
    const monitor = monitorOf(pid);
    const server = await serve(HELLO(), pid);
    expect(heardOn()).toContain(18400);
    expect(fetchHere(18400, "127.0.0.1")).toBeDefined();
    expect(proxiesOf(monitor)).toEqual([]);
    const gateway = await ok("inspect", "-f", "{{.NetworkSettings.Gateway}}", name);
    for (let n = 0; n < 3; n++) expect(fetchHere(18400)).toBe(`hello ${gateway}`);
    expect(fetchHere(18400, "localhost")).toBeDefined();
    const [proxy = 0, ...more] = proxiesOf(monitor);
    expect(more).toEqual([]);
    // a process of the host's, that the container's locks are not held by, nor its cgroup filled with
    const held = readdirSync(`/proc/${proxy}/fd`).map((fd) => readlinkSync(`/proc/${proxy}/fd/${fd}`));
    expect(held.filter((one) => !/^(socket|pipe|anon_inode|\/dev\/null)/.test(one))).toEqual([]);
    expect(held.filter((one) => one === "/dev/null")).toHaveLength(3);
    expect(readlinkSync(`/proc/${proxy}/ns/pid`)).toBe(readlinkSync("/proc/self/ns/pid"));
    expect(await ok("top", name, "-o", "comm")).not.toContain("mydocker");
    expect(await ok("port", name)).toBe("80/tcp -> 0.0.0.0:18400");
    expect(outside.fetch(`http://[${HERE.address6}]:18400/`, 0.5)).toBeUndefined();
    server.kill("SIGKILL");
    await ok("stop", "-t", "0", name);
    await until(() => gone(proxy), "the proxy's end");
    expect(heardOn()).not.toContain(18400);
    await ok("start", name);
    const again = Number(await ok("inspect", "-f", "{{.State.Pid}}", name));
    const second = await serve(HELLO(), again);
    expect(fetchHere(18400)).toStartWith("hello");
    second.kill("SIGKILL");
    const [last = 0] = proxiesOf(monitorOf(again));
    await ok("rm", "-f", name);
    expect(gone(last)).toBe(true);
  });

  test("on [::1] only; not where it is published on another address only", async () => {
    await withServer(HELLO(), ["-p", "[::1]:18410:80"], async ({ name }) => {
      expect(fetchHere(18410)).toStartWith("hello");
      expect(fetchHere(18410, "127.0.0.1")).toBeUndefined();
      expect(outside.fetch(`http://${HERE.address}:18410/`, 0.5)).toBeUndefined();
      expect(await ok("port", name)).toBe("80/tcp -> [::1]:18410");
      await fails(125, /Bind for \[::1\]:18410 failed/, "run", "--rm", "-p", "[::1]:18410:80", ...SLEEP);
      await fails(125, /Bind for \[::1\]:18410 failed/, "run", "--rm", "-p", "18410:80", ...SLEEP);
      // the rules, made again, know nothing of it
      Bun.spawnSync(["nft", "flush", "ruleset"]);
      await ok("run", "--rm", "busybox", "true");
      expect(fetchHere(18410)).toStartWith("hello");
    });
    for (const host of ["127.0.0.1", HERE.address, "0.0.0.0"])
      await withServer(HELLO(), ["-p", `${host}:18411:80`], async () => {
        expect(heardOn()).not.toContain(18411);
        expect(fetchHere(18411)).toBeUndefined();
      });
    await fails(125, /no SCTP from there/, "run", "--rm", "-p", "[::1]:18412:80/sctp", "busybox", "true");
    await fails(125, /no address of IPv6/, "run", "--rm", "-p", "[::]:18412:80", "busybox", "true");
    expect(await ok("run", "--rm", "-p", "[::1]::80", "busybox", "echo", "any")).toBe("any");
  });

  test("64 MB there and back, of one and of four at once, and the memory of the proxy meanwhile", async () => {
    await withServer(ECHO, ["-p", "18420:80"], async ({ monitor }) => {
      const begin = performance.now();
      expect(await run(ROUND(18420))).toBe("67108864 true");
      const seconds = (performance.now() - begin) / 1000;
      const all = Array.from({ length: 4 }, () => run(ROUND(18420)));
      expect(await Promise.all(all)).toEqual(Array(4).fill("67108864 true"));
      const [proxy = 0] = proxiesOf(monitor);
      const usage = readFileSync(`/proc/${proxy}/smaps_rollup`, "utf8");
      const dirty = Number(/^Private_Dirty: +([0-9]+) kB$/m.exec(usage)?.[1]);
      expect(dirty).toBeLessThan(1024);
      process.stderr.write(`through ::1: 64 MB and back in ${seconds.toFixed(2)} s, ${dirty} KB private\n`);
    });
  }, 60_000);

  test("two hundred connections at once, and beyond what is taken at once the others wait; no descriptor is left", async () => {
    await withServer(ECHO, ["-p", "18430:80"], async ({ monitor }) => {
      const many = (count: number): string => `${NET} let good = 0, open = 0; const held = [];
        for (let n = 0; n < ${count}; n++) { const s = net.connect({ host: "::1", port: 18430 }, () => s.write("x" + n));
          held.push(s); s.on("error", () => {}); let text = "";
          s.on("data", (d) => { text += d; if (text === "x" + n) { good++; s.end(); } });
          s.on("close", () => { if (++open === ${count}) process.stdout.write(String(good)); }); }`;
      expect(await run(many(200))).toBe("200");
      const [proxy = 0] = proxiesOf(monitor);
      const count = (): number => readdirSync(`/proc/${proxy}/fd`).length;
      await until(() => count() < 20, "all connections to be closed");
      const idle = count();
      expect(await run(many(1500))).toBe("1500");
      await until(() => count() === idle, "all connections to be closed");
      // those that hold on to their place: the first 1024 have one
      const hold = await serve(
        `${NET} let n = 0; for (let i = 0; i < 1200; i++) { const s = net.connect({ host: "::1", port: 18430 }, () => s.write("x")); s.on("error", () => {});
          s.on("data", () => { if (++n === 1024) setTimeout(() => process.stdout.write("up " + n + "\\n"), 300); }); }`,
      );
      expect(count()).toBe(idle + 2048);
      hold.kill("SIGKILL");
      await hold.exited;
      await until(() => count() === idle, "all connections to be closed");
      expect(await run(many(10))).toBe("10");
    });
  }, 60_000);

  test("half-closes are passed on, both ways", async () => {
    // answers when the client has said all, and goes on after that
    const late = `${NET} net.createServer({ allowHalfOpen: true }, (s) => { let n = 0; s.on("data", (d) => { n += d.length; });
      s.on("end", () => { s.write("got " + n); setTimeout(() => s.end(" done"), 200); }); }).listen(80, "0.0.0.0", up);`;
    const early = `${NET} net.createServer({ allowHalfOpen: true }, (s) => { let n = 0; s.end("first");
      s.on("data", (d) => { n += d.length; }); s.on("end", () => require("node:fs").writeFileSync("${notes()}/half", String(n))); }).listen(80, "0.0.0.0", up);`;
    await withServer(late, ["-p", "18440:80"], async () => {
      const client = `${NET} const s = net.connect({ host: "::1", port: 18440, allowHalfOpen: true }, () => s.end(Buffer.alloc(300000)));
        let text = ""; s.on("data", (d) => { text += d; }); s.on("end", () => process.stdout.write(text));`;
      expect(await run(client)).toBe("got 300000 done");
    });
    await withServer(early, ["-p", "18441:80"], async () => {
      const client = `${NET} const s = net.connect({ host: "::1", port: 18441, allowHalfOpen: true });
        s.on("data", (d) => process.stdout.write(d)); s.on("end", () => s.end(Buffer.alloc(300000)));`;
      expect(await run(client)).toBe("first");
      expect(await until(() => quietly(() => readFileSync(`${notes()}/half`, "utf8"), ""), "the rest")).toBe(
        "300000",
      );
    });
  });

  test("one who never reads, and one who never writes, hold up nobody else, nor does a container that does not", async () => {
    await withServer(ECHO, ["-p", "18450:80", "-p", "18451:81"], async ({ monitor, pid }) => {
      const sink = await serve(`${NET} net.createServer((s) => s.pause()).listen(81, "0.0.0.0", up);`, pid);
      const stuck = await serve(
        `${NET} for (let i = 0; i < 8; i++) { const s = net.connect({ host: "::1", port: 18450 + i % 2 }, () => { s.pause();
            const go = () => { while (s.write(Buffer.alloc(65536))); s.once("drain", go); }; go(); }); s.on("error", () => {}); }
          net.connect({ host: "::1", port: 18450 }); setTimeout(up, 500);`,
      );
      expect(await run(ROUND(18450))).toBe("67108864 true");
      const [proxy = 0] = proxiesOf(monitor);
      // waiting costs nothing
      const ticks = (): number => {
        const fields = readFileSync(`/proc/${proxy}/stat`, "utf8").split(" ");
        return Number(fields[13]) + Number(fields[14]);
      };
      const before = ticks();
      await Bun.sleep(500);
      expect(ticks() - before).toBeLessThan(10);
      const count = (): number => readdirSync(`/proc/${proxy}/fd`).length;
      expect(count()).toBeGreaterThan(20);
      // the clients that had something to read are gone, what the others have sent the container may still take
      stuck.kill("SIGKILL");
      await until(() => count() < 18, "the clients' end");
      sink.kill("SIGKILL");
      await until(() => count() < 10, "the container's end");
    });
  }, 60_000);

  test("nobody listens: reset at once; a reset is passed on", async () => {
    await withServer(ECHO, ["-p", "18460:81", "-p", "18461:80"], async ({ pid, monitor }) => {
      const client = (
        port: number,
      ): string => `${NET} const begin = Date.now(); const s = net.connect({ host: "::1", port: ${port} });
        s.on("error", (e) => process.stdout.write(e.code + " " + (Date.now() - begin < 1000))); s.on("end", () => process.stdout.write("end"));`;
      for (let n = 0; n < 3; n++) expect(await run(client(18460))).toBe("ECONNRESET true");
      const rude = await serve(
        `${NET} net.createServer((s) => { s.on("error", () => {}); setTimeout(() => s.resetAndDestroy(), 50); }).listen(81, "0.0.0.0", up);`,
        pid,
      );
      expect(await run(client(18460))).toBe("ECONNRESET true");
      rude.kill("SIGKILL");
      await rude.exited;
      // what was said before the end arrives
      const brief = await serve(
        `${NET} net.createServer((s) => s.end(Buffer.alloc(1000000, "y"))).listen(81, "0.0.0.0", up);`,
        pid,
      );
      const count = `${NET} let n = 0; const s = net.connect({ host: "::1", port: 18460 }); s.on("data", (d) => { n += d.length; });
        s.on("error", () => {}); s.on("close", () => process.stdout.write(String(n)));`;
      for (let n = 0; n < 5; n++) expect(await run(count)).toBe("1000000");
      brief.kill("SIGKILL");
      const [proxy = 0] = proxiesOf(monitor);
      await until(() => readdirSync(`/proc/${proxy}/fd`).length < 12, "all connections to be closed");
    });
  });

  test("whoever leaves in whatever way: nothing of any connection stays", async () => {
    const any = "const any = (n) => Math.floor(Math.random() * n);";
    const server = `${NET} ${any} net.createServer({ allowHalfOpen: true }, (s) => { s.on("error", () => {}); const way = any(6);
      if (way === 0) s.destroy(); else if (way === 1) s.resetAndDestroy();
      else if (way === 2) s.write(Buffer.alloc(any(3000000)), () => s.destroy());
      else if (way === 3) s.once("data", () => s.resetAndDestroy()); else if (way === 4) { s.end(); s.resume(); } else s.pipe(s);
      setTimeout(() => s.destroy(), 1000);
    }).listen(80, "0.0.0.0", 4096, up);`;
    const clients = `${NET} ${any} const end = Date.now() + 3000; let count = 0;
      const one = () => new Promise((done) => { const port = any(9) ? 18465 : 18466;
        const s = net.connect({ host: "::1", port, allowHalfOpen: true }, () => { count++; const way = any(6);
          if (way === 0) return s.destroy(); if (way === 1) return s.resetAndDestroy();
          s.write(Buffer.alloc(any(1000000))); if (way === 2) s.destroy(); else if (way === 3) s.end(); else if (way === 4) s.resetAndDestroy();
          setTimeout(() => s.destroy(), any(100)); });
        s.on("error", () => {}); s.on("data", () => {}); s.on("close", done); setTimeout(() => s.destroy(), 1000); });
      await Promise.all(Array.from({ length: 30 }, async () => { while (Date.now() < end) await one(); }));
      process.stdout.write(String(count > 100)); process.exit(0);`;
    await withServer(server, ["-p", "18465:80", "-p", "18466:81"], async ({ monitor }) => {
      expect(await run(clients)).toBe("true");
      const [proxy = 0] = proxiesOf(monitor);
      await until(() => readdirSync(`/proc/${proxy}/fd`).length === 8, "all connections to be closed");
    });
  });

  test("UDP: each client has its answers, also of what a packet does not hold", async () => {
    await withServer(UDP_ECHO, ["-p", "18470:53/udp"], async ({ monitor }) => {
      const client = (sizes: string): string => `
        const sizes = [${sizes}]; let good = 0;
        for (const size of sizes) { const s = await Bun.udpSocket({ hostname: "::1", connect: { hostname: "::1", port: 18470 }, socket: { data: (_, d) => {
            if (d.length === size) good++; if (good === sizes.length) { process.stdout.write(String(good)); process.exit(0); } } } });
          for (let n = 0; n < 1; n++) s.send(new Uint8Array(size).fill(120)); }
        setTimeout(() => { process.stdout.write(String(good)); process.exit(0); }, 3000);`;
      expect(await run(client("10, 1400, 3900, 60000"))).toBe("4");
      expect(await run(client(Array.from({ length: 100 }, (_, n) => n + 1).join()))).toBe("100");
      const [proxy = 0] = proxiesOf(monitor);
      expect(readdirSync(`/proc/${proxy}/fd`).length).toBeGreaterThan(100);
    });
    await withServer(UDP_ECHO, ["-p", "[::1]:18471:54/udp"], async ({ pid }) => {
      // nobody listens at first
      const client = `let n = 0; const s = await Bun.udpSocket({ hostname: "::1", connect: { hostname: "::1", port: 18471 }, socket: { data: (_, d) => {
          process.stdout.write("answer"); process.exit(0); }, error: () => {} } });
        setInterval(() => { s.send("x"); if (++n === 5) process.stdout.write("up "); if (n > 100) process.exit(1); }, 50);`;
      const waiting = run(client);
      await Bun.sleep(600);
      const server = await serve(UDP_ECHO.replace("53", "54"), pid);
      expect(await waiting).toBe("up answer");
      server.kill("SIGKILL");
    });
  });

  test("UDP: more clients than are kept, the quiet ones make place", async () => {
    await withServer(UDP_ECHO, ["-p", "18475:53/udp"], async ({ monitor }) => {
      const client = `let good = 0; const all = [];
        for (let n = 0; n < 1300; n++) { let answer; const came = new Promise((resolve) => { answer = resolve; });
          const s = await Bun.udpSocket({ hostname: "::1", connect: { hostname: "::1", port: 18475 }, socket: { data: () => { good++; answer(); } } });
          all.push(s); s.send("x"); await Promise.race([came, Bun.sleep(1000)]); }
        process.stdout.write(String(good)); process.exit(0);`;
      expect(await run(client)).toBe("1300");
      const [proxy = 0] = proxiesOf(monitor);
      expect(readdirSync(`/proc/${proxy}/fd`).length).toBeLessThan(1024 + 20);
    });
  }, 60_000);

  test("the monitor is killed, the proxy is killed", async () => {
    const { name, pid } = await background("-p", "18480:80", ...SLEEP);
    const monitor = monitorOf(pid);
    const server = await serve(HELLO(), pid);
    expect(fetchHere(18480)).toBeDefined();
    const [proxy = 0] = proxiesOf(monitor);
    process.kill(proxy, "SIGKILL");
    await until(() => gone(proxy), "the proxy's end");
    // the port is still its container's, and the next client is served
    expect(heardOn()).toContain(18480);
    expect(await until(() => fetchHere(18480), "another proxy")).toStartWith("hello");
    const [next = 0] = proxiesOf(monitor);
    expect(next).not.toBe(proxy);
    process.kill(monitor, "SIGKILL");
    await until(() => gone(next), "the proxy's end");
    expect(heardOn()).not.toContain(18480);
    server.kill("SIGKILL");
    await until(async () => (await ok("ps", "-q")) === "", "the container's end");
    await ok("start", name);
    await ok("rm", "-f", name);
    expect(readdirSync(`${RUN}/.net/relays`)).toEqual([]);
  });

  test("another container has the port after it, with connections open", async () => {
    for (let n = 0; n < 3; n++)
      await withServer(ECHO, ["-p", "18485:80"], async () => {
        expect(await run(ROUND(18485))).toBe("67108864 true");
        await serve(`${NET} net.connect({ host: "::1", port: 18485 }, up).on("error", () => {});`);
      });
  }, 60_000);

  test("what a container says last arrives", async () => {
    for (let n = 0; n < 10; n++) {
      const name = newName();
      const line = 'echo -e "HTTP/1.0 200 OK\\r\\n\\r\\nbye" | nc -l -p 80 >/dev/null';
      await ok("run", "-d", "--rm", "--name", name, "-p", "18490:80", "busybox", "sh", "-c", line);
      await Bun.sleep(50);
      expect(fetchHere(18490)).toBe("bye\n");
      await until(async () => (await ok("ps", "-aq")) === "", "its end");
    }
  });

  test("connect and disconnect: it leads where the container is", async () => {
    await withNetwork(async (one) => {
      await withNetwork(async (two) => {
        const options = ["--network", one, "-p", "18495:80", "-p", "18495:53/udp"];
        await withServer(HELLO(), options, async ({ name, pid }) => {
          const udp = await serve(UDP_ECHO, pid);
          const client =
            await serve(`let n = 0; const s = await Bun.udpSocket({ hostname: "::1", connect: { hostname: "::1", port: 18495 },
            socket: { data: () => { if (n++ === 0) process.stdout.write("up\\n"); require("node:fs").writeFileSync("${notes()}/answers", String(n)); } } });
            setInterval(() => s.send("x"), 20);`);
          const answers = (): number => Number(readFileSync(`${notes()}/answers`, "utf8"));
          const of = async (network: string): Promise<string> =>
            ok("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network);
          expect(fetchHere(18495)).toBe(`hello ${await of(one)}`);
          await ok("network", "connect", two, name);
          expect(fetchHere(18495)).toBe(`hello ${await of(one)}`);
          await ok("network", "disconnect", one, name);
          expect(fetchHere(18495)).toBe(`hello ${await of(two)}`);
          // the same client, from the same socket
          const before = answers();
          await until(() => answers() > before + 3, "answers");
          await ok("network", "disconnect", two, name);
          expect(fetchHere(18495)).toBeUndefined();
          await ok("network", "connect", one, name);
          expect(fetchHere(18495)).toBe(`hello ${await of(one)}`);
          expect(await addressOf(name, one)).not.toBe("");
          for (const child of [udp, client]) child.kill("SIGKILL");
        });
      });
    });
  });

  test("a container of IPv6 is reached by that", async () => {
    const options = ["--ipv6", "--subnet", "fd00:89::/64"];
    await withNetwork(
      async (network) => {
        await withServer(HELLO("::"), ["--network", network, "-p", "18498:80"], async ({ name }) => {
          expect(fetchHere(18498)).toBe("hello fd00:89::1");
          expect(fetchHere(18498, `[${HERE.address6}]`)).toStartWith("hello ");
          expect(await ok("port", name)).toBe("80/tcp -> 0.0.0.0:18498\n80/tcp -> [::]:18498");
          expect((await mydocker(["restart", "-t", "0", name])).code).toBe(0);
        });
        const udp = UDP_ECHO.replace("0.0.0.0", "::");
        await withServer(udp, ["--network", network, "-p", "18498:53/udp"], async () => {
          const client = `const s = await Bun.udpSocket({ hostname: "::1", connect: { hostname: "::1", port: 18498 }, socket: { data: (_, d) => {
            process.stdout.write(String(d)); process.exit(0); } } }); s.send("there and back"); setTimeout(() => process.exit(1), 3000);`;
          expect(await run(client)).toBe("there and back");
        });
        await withServer(HELLO("::"), ["--network", network, "-p", "[::1]:18498:80"], async () => {
          expect(fetchHere(18498)).toBe("hello fd00:89::1");
        });
      },
      ...options,
    );
  });
});
