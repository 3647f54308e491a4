/**
 * Builds dist/mydocker: type check, csrc to the shim, the busybox image, then one executable.
 *
 *   npx bun run build.ts [--target linux-x64|linux-x64-musl|linux-arm64|linux-arm64-musl] [--no-check]
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { makeBusyboxTar } from "./src/image/busybox-rootfs.ts";
import { archiveTrailer } from "./src/image/embedded.ts";
import { DEFAULT_CAPABILITIES } from "./src/runtime/capabilities.ts";
import { archesOf, compileProfile } from "./src/runtime/seccomp/compile.ts";
import { defaultProfile } from "./src/runtime/seccomp/default.ts";
import { encodeFilter } from "./src/runtime/seccomp/filter.ts";
import { wireHeader } from "./src/runtime/wire.ts";

interface Target {
  readonly name: string;
  readonly machine: "x64" | "arm64";
  readonly bun: Bun.Build.CompileTarget | undefined;
  readonly compiler: string;
  readonly libc: string;
  readonly busybox: string;
}

const ROOT = import.meta.dir;
const NATIVE = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
const PACKAGES: Record<string, string> = {
  gcc: "gcc",
  "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
  "x86_64-linux-gnu-gcc": "gcc-x86-64-linux-gnu",
};

/** The shim needs no C library, so a musl target is compiled by the same compiler as its glibc sister. */
function describeTarget(name: string): Target {
  const match = /^linux-(x64|arm64)(-musl)?$/.exec(name);
  if (!match) throw new Error(`unknown target ${name}: linux-x64, linux-arm64, and either with -musl`);
  const [, arch = "", musl] = match;
  const native = `linux-${arch}` === NATIVE;
  const loader = `libc.musl-${arch === "x64" ? "x86_64" : "aarch64"}.so.1`;
  return {
    name,
    machine: arch === "x64" ? "x64" : "arm64",
    bun: name === NATIVE ? undefined : (`bun-${name}` as Bun.Build.CompileTarget),
    compiler: native ? "gcc" : arch === "x64" ? "x86_64-linux-gnu-gcc" : "aarch64-linux-gnu-gcc",
    libc: musl ? loader : "libc.so.6",
    busybox: native ? "/bin/busybox" : `build/busybox-${arch}`,
  };
}

function run(command: readonly string[], what: string): void {
  const result = Bun.spawnSync([...command], { cwd: ROOT, stdout: "inherit", stderr: "inherit" });
  if (!result.success) throw new Error(`${what} failed (${command[0]})`);
}

/** csrc/*.c to a shared library without any library under it; returns it in base64. */
function compileShim(target: Target): string {
  if (!Bun.which(target.compiler))
    throw new Error(`${target.compiler} is missing: apt-get install ${PACKAGES[target.compiler]}`);
  const output = `${ROOT}/build/shim-${target.name}.so`;
  writeFileSync(`${ROOT}/build/wire.h`, wireHeader());
  const sources = [...new Bun.Glob("csrc/*.c").scanSync(ROOT)].sort();
  const plain = ["-std=gnu11", "-Os", "-ffreestanding", "-fno-builtin", "-fno-stack-protector"];
  const small = ["-fno-asynchronous-unwind-tables", "-fvisibility=hidden", "-Wl,--build-id=none", "-s"];
  const safe = [
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,-z,defs",
    "-Wl,-z,noexecstack",
    "-Wl,-z,relro",
    "-Wl,-z,now",
    "-Wl,-z,noseparate-code",
  ];
  const flags = [...plain, ...small, ...safe, "-shared", "-fPIC", "-nostdlib", "-Ibuild", "-Icsrc"];
  run([target.compiler, ...flags, ...sources, "-o", output], "compiling the shim");
  return readFileSync(output).toString("base64");
}

/** The filter of a container that asks for nothing: so that no container waits for its compiler. */
function defaultFilter({ machine }: Target): string {
  return encodeFilter(compileProfile(defaultProfile(machine, DEFAULT_CAPABILITIES), archesOf(machine)));
}

function readArguments(args: readonly string[]): { readonly target: Target; readonly check: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: { target: { type: "string", default: NATIVE }, "no-check": { type: "boolean", default: false } },
  });
  return { target: describeTarget(values.target), check: !values["no-check"] };
}

async function main(args: readonly string[]): Promise<void> {
  const { target, check } = readArguments(args);
  const { version } = JSON.parse(readFileSync(`${ROOT}/package.json`, "utf8")) as { version: string };
  mkdirSync(`${ROOT}/build`, { recursive: true });
  mkdirSync(`${ROOT}/dist`, { recursive: true });
  if (check) run([`${ROOT}/node_modules/.bin/tsc`, "--noEmit"], "the type check");
  const shim = compileShim(target);
  if (!existsSync(target.busybox))
    throw new Error(
      target.name.startsWith(NATIVE)
        ? `${target.busybox} is missing: apt-get install busybox-static`
        : `${target.busybox} is missing: put a static busybox for that machine there (dpkg -x of Debian's busybox-static)`,
    );
  const archive = `${ROOT}/build/busybox.tar`;
  const busybox = await makeBusyboxTar(archive, target.busybox);
  const outfile = `${ROOT}/dist/mydocker${target.name === NATIVE ? "" : `-${target.name}`}`;
  const result = await Bun.build({
    entrypoints: [`${ROOT}/src/main.ts`],
    minify: true,
    bytecode: true,
    // what is nested deeper is compiled when it is called: less to load at every start
    bytecodeDepth: 2,
    // a file for each dynamic import: a command loads its own code only (2 ms of 5 for the short ones)
    splitting: true,
    format: "esm",
    define: {
      SHIM_BASE64: JSON.stringify(shim),
      SECCOMP_DEFAULT: JSON.stringify(defaultFilter(target)),
      LIBC_NAME: JSON.stringify(target.libc),
      BUSYBOX_ID: JSON.stringify(busybox.id),
      BUSYBOX_CONTENT: JSON.stringify(busybox.content),
      BUSYBOX_CREATED: JSON.stringify(busybox.created),
      VERSION_BUILT: JSON.stringify(version),
    },
    compile: {
      outfile,
      ...(target.bun && { target: target.bun }),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      // a command lives for milliseconds: compiling its code costs more than interpreting it (3 ms of run)
      jitPolicy: 1000,
    },
  });
  if (!result.success) throw new Error(result.logs.map(String).join("\n"));
  const image = readFileSync(archive);
  appendFileSync(outfile, Buffer.concat([image, archiveTrailer(image.length)]));
  const megabytes = (statSync(outfile).size / 1e6).toFixed(1);
  process.stdout.write(`${outfile.slice(ROOT.length + 1)} ${version}, ${megabytes} MB\n`);
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`build: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
