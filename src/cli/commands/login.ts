import { HUB } from "../../image/full-name.ts";
import { EngineError } from "../../linux/errors.ts";
import { readAll } from "../../linux/file.ts";
import { print } from "../../linux/process.ts";
import { isTerminal } from "../../linux/tty.ts";
import { ask } from "../ask.ts";
import type { Command, Parsed } from "../command.ts";
import { UsageError } from "../errors.ts";
import { interruptible } from "../interrupt.ts";
import { registryOf } from "../registry-name.ts";

/** `login`: keeps the credentials for a registry. */
export const command: Command = {
  name: "login",
  summary: "Log in to a registry",
  usage: "[OPTIONS] [SERVER]",
  flags: [
    { name: "username", short: "u", kind: "string", value: "NAME", help: "Username" },
    { name: "password", short: "p", kind: "string", value: "TEXT", help: "Password (seen by others in ps)" },
    { name: "password-stdin", kind: "bool", help: "Read the password from stdin" },
  ],
  args: { min: 0, max: 1 },
  interspersed: true,
  examples: ["mydocker login -u me localhost:5000", "mydocker login -u me --password-stdin < password"],
  run,
};

async function run(input: Parsed): Promise<number> {
  const { login } = await import("../../image/registry/login.ts");
  const server = registryOf(input.args[0] ?? HUB);
  const fromStdin = input.bool("password-stdin");
  if (fromStdin && input.has("password"))
    throw new UsageError("--password and --password-stdin are mutually exclusive", 1);
  if (fromStdin && !input.text("username"))
    throw new UsageError("Must provide --username with --password-stdin", 1);
  if (input.has("password"))
    print(2, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  if (!input.has("username") && !input.has("password")) {
    if (await loginAgain(server)) return 0;
  }
  const username = input.text("username") || (await askFor("Username: ", true));
  if (username === "") throw new EngineError("Non-null Username Required", 1);
  const password = fromStdin
    ? readPassword()
    : (input.text("password") ?? (await askFor("Password: ", false)));
  if (password === "") throw new EngineError("password is empty", 1);
  const { place, plain } = await interruptible((signal) => login(server, username, password, { signal }));
  if (plain)
    print(
      2,
      `WARNING! Your password will be stored unencrypted in ${place}. Configure a credential helper (credsStore) to remove this warning.\n`,
    );
  print(1, "Login Succeeded\n");
  return 0;
}

/** With the credentials that are kept for it, where there are any and they are still right. */
async function loginAgain(server: string): Promise<boolean> {
  const { login, storedLogin } = await import("../../image/registry/login.ts");
  const known = await storedLogin(server);
  if (known === undefined) return false;
  print(1, "Authenticating with existing credentials...\n");
  try {
    await interruptible((signal) => login(server, known.username, known.password, { signal }));
  } catch (error) {
    if (!isTerminal(0) || !(error instanceof EngineError)) throw error;
    print(2, `Login did not succeed, error: ${error.message}\n`);
    return false;
  }
  print(1, "Login Succeeded\n");
  return true;
}

/** The whole of stdin, but for the end of its last line. */
function readPassword(): string {
  return new TextDecoder().decode(readAll(0, 64 << 10)).replace(/\r?\n$/, "");
}

async function askFor(prompt: string, echo: boolean): Promise<string> {
  if (!isTerminal(0))
    throw new EngineError(
      "cannot perform an interactive login from a non TTY device: use -u and --password-stdin",
      1,
    );
  return await ask(prompt, echo);
}
