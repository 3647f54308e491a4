/** Networks when things go wrong: killed commands, damaged files, everybody at once. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import {
  BINARY,
  background,
  describeWhere,
  ENV,
  fails,
  monitors,
  mydocker,
  newName,
  ok,
  ROOT,
  RUN,
  suite,
  until,
} from "./harness.ts";
import { addressOf, withNetwork } from "./networks.ts";
import { HERE, NFT, NO_NFT, Outside } from "./outside.ts";

suite();
const outside = new Outside();
const SLEEP = ["busybox", "sleep", "1000"];
const hostsOf = (name: string): Promise<string> => ok("exec", name, "cat", "/etc/hosts");

/** Runs a command and kills it after so many milliseconds. */
async function killed(after: number, ...args: string[]): Promise<void> {
  const child = Bun.spawn([BINARY, ...args], { env: ENV, stdout: "ignore", stderr: "ignore" });
  await Bun.sleep(after);
  child.kill("SIGKILL");
  await child.exited;
}

describeWhere(NFT, NO_NFT, "a client that is behind", () => {
  test("a port is another's as soon as the program has ended, also where the client is behind with its output", async () => {
    const name = newName();
    const line = Bun.spawn(
      ["sh", "-c", `"$0" run --name ${name} -p 18155:80 busybox yes | sleep 60`, BINARY],
      {
        env: ENV,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    try {
      await until(async () => (await ok("ps", "-q")) !== "", "the container to run");
      await Bun.sleep(300);
      await ok("stop", "-t", "0", name);
      expect(Bun.spawnSync(["pgrep", "-P", String(line.pid), "mydocker"]).exitCode).toBe(0);
      const again = ["run", "--rm", "-p", "18155:80", "busybox", "true"];
      await until(async () => (await mydocker(again)).code === 0, "the port", 3);
    } finally {
      Bun.spawnSync(["pkill", "-P", String(line.pid)]);
      line.kill();
      await line.exited;
    }
  });
});

describe("everybody at once", () => {
  test("one port for many: one has it", async () => {
    for (let round = 0; round < 10 && NFT; round++) {
      const names = Array.from({ length: 4 }, () => newName());
      const all = await Promise.all(
        names.map((name) => mydocker(["run", "-d", "--name", name, "-p", "18300:80", ...SLEEP])),
      );
      expect(all.map(({ code }) => code).sort()).toEqual([0, 125, 125, 125]);
      const [winner = ""] = (await ok("ps", "-q")).split("\n");
      await ok("rm", "-f", winner);
    }
  }, 60_000);

  test("hosts files of many that restart keep what is theirs", async () => {
    await withNetwork(async (network) => {
      const names = (
        await Promise.all(Array.from({ length: 8 }, () => background("--network", network, ...SLEEP)))
      ).map(({ name }) => name);
      for (let round = 0; round < 3; round++)
        await Promise.all(names.map((name) => ok("restart", "-t", "0", name)));
      for (const name of names) {
        const hosts = await hostsOf(name);
        expect(hosts).toStartWith("127.0.0.1\tlocalhost\n");
        expect(hosts).toContain(
          `${await addressOf(name, network)}\t${await ok("inspect", "-f", "{{.Config.Hostname}}", name)}\n`,
        );
        for (const other of names) if (other !== name) expect(hosts).toContain(`\t${other} `);
      }
    });
  }, 60_000);

  test("a network whose container has just ended can be removed, and its address be had", async () => {
    const name = newName("net");
    for (let n = 0; n < 5; n++) {
      await ok("network", "create", "--subnet", "10.212.0.0/24", name);
      await ok("run", "--rm", "--network", name, "--ip", "10.212.0.9", "busybox", "true");
      await ok("run", "--rm", "--network", name, "--ip", "10.212.0.9", "busybox", "true");
      expect(await ok("network", "rm", name)).toBe(name);
    }
  });
});

describe("killed", () => {
  test("connect and disconnect, at any moment: what the record says is true after the next change", async () => {
    await withNetwork(async (one) => {
      await withNetwork(async (two) => {
        const { name } = await background("--network", one, ...SLEEP);
        for (let n = 0; n < 12; n++) {
          await killed(8 + n * 2, "network", n % 2 === 0 ? "connect" : "disconnect", two, name);
          // whoever looks puts right
          await ok("inspect", name);
          const listed = (await ok("ps", "--filter", `name=${name}`, "--format", "{{.Networks}}")).split(",");
          const links = (await ok("exec", name, "ls", "/sys/class/net")).split("\n");
          expect(links.length).toBe(listed.length + 1);
        }
        await mydocker(["network", "disconnect", two, name]);
        await ok("network", "connect", two, name);
        expect((await ok("exec", name, "ls", "/sys/class/net")).split("\n")).toHaveLength(3);
        await ok("rm", "-f", name);
        for (const folder of readdirSync(`${RUN}/.net`).filter((one) => /^[0-9a-f]{12}$/.test(one)))
          expect(readdirSync(`${RUN}/.net/${folder}`).filter((one) => !one.startsWith("."))).toEqual([]);
      });
    });
  }, 60_000);

  test("network create and rm, at any moment: both can be done again", async () => {
    const name = newName("net");
    for (let n = 0; n < 10; n++) {
      await killed(6 + n * 2, "network", "create", name);
      if ((await mydocker(["network", "inspect", name])).code === 0)
        await ok("run", "--rm", "--network", name, "busybox", "true");
      await killed(6 + n * 2, "network", "rm", name);
      await ok("network", "rm", "-f", name);
      await ok("network", "create", name);
      await ok("network", "rm", name);
    }
  }, 60_000);
});

describeWhere(NFT, NO_NFT, "ports of the dead", () => {
  test("do not come back when the rules are made anew", async () => {
    const dead = await background("-p", "18310:80", ...SLEEP);
    for (const monitor of monitors()) process.kill(monitor, "SIGKILL");
    await until(async () => (await ok("ps", "-q")) === "", "its end");
    await background("-p", "18310:80", "busybox", "httpd", "-f", "-h", "/etc");
    expect(
      await until(() => outside.fetch(`http://${HERE.address}:18310/hostname`), "an answer"),
    ).toBeDefined();
    await withNetwork(async () => {
      expect(outside.fetch(`http://${HERE.address}:18310/hostname`)).toBeDefined();
    });
    expect(await ok("ps", "-a", "--filter", `name=${dead.name}`, "--format", "[{{.Ports}}]")).toBe("[]");
  });

  test("who goes on sending UDP reaches the container that comes, and comes again", async () => {
    const echo = `await Bun.udpSocket({ port: 53, hostname: "0.0.0.0", socket: { data: (s, d, port, from) => { s.send(d, port, from); } } });`;
    const serve = async (name: string): Promise<Bun.Subprocess> => {
      const pid = await ok("inspect", "-f", "{{.State.Pid}}", name);
      return Bun.spawn(["nsenter", "-t", pid, "-n", process.execPath, "-e", echo]);
    };
    const sender = outside.start(
      process.execPath,
      "-e",
      `let got = 0;
       const socket = await Bun.udpSocket({ connect: { hostname: "${HERE.address}", port: 18320 }, socket: {
         data: () => { console.log(++got); }, error: () => {} } });
       setInterval(() => { try { socket.send("x"); } catch {} }, 20);`,
    );
    let answers = 0;
    (async () => {
      for await (const chunk of sender.stdout)
        answers += new TextDecoder().decode(chunk).split("\n").length - 1;
    })();
    await Bun.sleep(200);
    const { name } = await background("-p", "18320:53/udp", ...SLEEP);
    const first = await serve(name);
    await until(() => answers > 3, "answers");
    first.kill();
    await ok("restart", "-t", "0", name);
    const second = await serve(name);
    const before = answers;
    await until(() => answers > before + 3, "answers again");
    second.kill();
    sender.kill();
  });
});

describe("a boot", () => {
  test("takes bridges, rules, forwarding and addresses, and the next start makes them again", async () => {
    const name = newName("net");
    await ok("network", "create", "--subnet", "10.213.0.0/24", name);
    const ports = NFT ? ["-p", "18330:80"] : [];
    const made = ["--network", name, "--ip", "10.213.0.7", ...ports];
    const { name: container } = await background(...made, "busybox", "httpd", "-f", "-h", "/etc");
    await ok("stop", "-t", "0", container);
    const bridge = await ok(
      "network",
      "inspect",
      "-f",
      '{{index .Options "com.docker.network.bridge.name"}}',
      name,
    );
    expect(Bun.spawnSync(["ip", "link", "del", bridge]).success).toBe(true);
    if (NFT) expect(Bun.spawnSync(["nft", "flush", "ruleset"]).success).toBe(true);
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
    rmSync(RUN, { recursive: true, force: true });
    expect(await ok("ps", "-q")).toBe("");
    await ok("start", container);
    expect(await addressOf(container, name)).toBe("10.213.0.7");
    const answer = (): string | undefined => outside.fetch(`http://${HERE.address}:18330/hostname`);
    if (NFT) expect(await until(answer, "an answer")).toBeDefined();
    else expect((await mydocker(["exec", container, "ping", "-c1", "-W1", "10.213.0.1"])).code).toBe(0);
    await ok("rm", "-f", container);
    await ok("network", "rm", name);
  });
});

describe("damaged files", () => {
  const BAD = ["", "{", "{}", "[]", "1", "null", '"x"', '{"endpoints":[{}],"ports":[{}]}', "\0\xff"];

  test("of a container's connections: others are not touched, and it can be removed", async () => {
    const { name: peer } = await background(...SLEEP);
    for (const text of [...BAD, undefined]) {
      const { name, id } = await background(...SLEEP);
      const file = `${RUN}/.net/containers/${id}`;
      rmSync(file);
      if (text === undefined) mkdirSync(file);
      else writeFileSync(file, text);
      await ok("network", "ls");
      await ok("network", "inspect", "bridge");
      await ok("inspect", name);
      await ok("ps", "--format", "{{.Ports}}");
      await ok("run", "--rm", "busybox", "true");
      await ok("rm", "-f", name);
      expect(readdirSync(`${RUN}/.net/containers`)).not.toContain(id);
    }
    await ok("rm", "-f", peer);
  }, 60_000);

  test("of a network: it is named, the others work, and no word of it is believed", async () => {
    const good = newName("net");
    await ok("network", "create", good);
    const record = JSON.parse(readFileSync(`${ROOT}/networks/${good}.json`, "utf8"));
    const odd = [
      { bridge: "lo" },
      { id: "../../../tmp/x" },
      { name: "other" },
      { pools: [] },
      { bridge: "a/b" },
    ];
    for (const text of [
      ...BAD,
      ...odd.map((one) => JSON.stringify({ ...record, ...one, ...(one.name ? {} : { name: "broken" }) })),
      undefined,
    ]) {
      const file = `${ROOT}/networks/broken.json`;
      if (text === undefined) mkdirSync(file);
      else writeFileSync(file, text);
      expect(await ok("network", "ls", "--format", "{{.Name}}")).toContain(good);
      await ok("run", "--rm", "--network", good, "busybox", "true");
      await mydocker(["network", "rm", "broken"]);
      expect(readFileSync("/proc/self/net/dev", "utf8")).toContain("lo:");
      rmSync(file, { recursive: true, force: true });
    }
    await fails(1, /not found/, "network", "rm", "broken");
    await ok("network", "rm", good);
  }, 60_000);

  test("folders that are gone are made again", async () => {
    rmSync(`${RUN}/.net`, { recursive: true, force: true });
    await ok("run", "--rm", "busybox", "true");
    rmSync(`${RUN}/.net/containers`, { recursive: true, force: true });
    await ok("run", "--rm", "busybox", "true");
  });
});
