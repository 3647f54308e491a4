import type { Command } from "./command.ts";
import { GROUPS } from "./groups.ts";

export type Shell = "bash" | "zsh" | "fish";

const CONTAINERS = "mydocker ps -a --format '{{.Names}}' 2>/dev/null";
const VOLUMES = "mydocker volume ls -q 2>/dev/null";
const IMAGES = "mydocker images --format '{{.Repository}}' 2>/dev/null";

/** The script by which a shell completes commands, their flags, and names of containers and images. */
export function completionScript(shell: Shell, all: readonly Command[]): string {
  // `image prune` and the like are completed as words of their group
  const commands = all.filter(({ name }) => !name.includes(" "));
  if (shell === "fish") return fish(commands, all);
  const script = bash(commands, all);
  // zsh runs bash's completions itself
  return shell === "bash"
    ? script
    : `#compdef mydocker\nautoload -U +X bashcompinit && bashcompinit\n${script}`;
}

function longFlags(command: Command): string[] {
  const names = [...command.flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]), "help"];
  return names.flatMap((name) => [`--${name}`, `-${name}`]);
}

function wordsOf(command: Command, names: readonly string[]): string {
  if (command.completes === "containers") return `$(${CONTAINERS})`;
  if (command.completes === "images") return `$(${IMAGES})`;
  return command.completes === "commands" ? names.join(" ") : "";
}

/** The words of a group behind which names of volumes follow. */
function wordsBeforeVolumes(group: string, all: readonly Command[]): string[] {
  const takesVolumes = (command = ""): boolean =>
    all.some(({ name, completes }) => name === command && completes === "volumes");
  return Object.entries(GROUPS[group] ?? {}).flatMap(([word, [command]]) =>
    takesVolumes(command) ? [word] : [],
  );
}

function groupCase(name: string, group: object, all: readonly Command[]): string {
  const words = `    ${name}) words="${Object.keys(group).join(" ")}"`;
  const before = wordsBeforeVolumes(name, all);
  if (before.length === 0) return `${words} ;;`;
  return `${words}
      if [ "$COMP_CWORD" -gt $((at + 1)) ]; then
        case "\${COMP_WORDS[at + 1]}" in
          ${before.join(" | ")}) words="$(${VOLUMES})" ;;
        esac
      fi
      ;;`;
}

function bash(commands: readonly Command[], all: readonly Command[]): string {
  const names = [...commands.map((command) => command.name), ...Object.keys(GROUPS)];
  const groups = Object.entries(GROUPS).map(([name, group]) => groupCase(name, group, all));
  const cases = commands.map(
    (command) =>
      `    ${command.name}) flags="${longFlags(command).join(" ")}"; words="${wordsOf(command, names)}" ;;`,
  );
  return `# bash completion for mydocker; made by 'mydocker completion bash'
_mydocker() {
  local current="\${COMP_WORDS[COMP_CWORD]}" flags="" words="" at=1
  COMPREPLY=()
  # options before the command, two of which take a value
  while [ "$at" -lt "$COMP_CWORD" ]; do
    case "\${COMP_WORDS[at]}" in
      --root | -root | --run | -run) at=$((at + 2)) ;;
      -*) at=$((at + 1)) ;;
      *) break ;;
    esac
  done
  if [ "$COMP_CWORD" -eq "$at" ]; then
    COMPREPLY=($(compgen -W "${names.join(" ")}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[at]}" in
${[...cases, ...groups].join("\n")}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -o default -F _mydocker mydocker ./mydocker
`;
}

function fish(commands: readonly Command[], all: readonly Command[]): string {
  const lines = ["# fish completion for mydocker; made by 'mydocker completion fish'"];
  const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  for (const command of commands) {
    lines.push(
      `complete -c mydocker -f -n __fish_use_subcommand -a ${command.name} -d ${quote(command.summary)}`,
    );
    const when = `-n '__fish_seen_subcommand_from ${command.name}'`;
    for (const flag of command.flags) {
      const short = flag.short === undefined ? "" : ` -s ${flag.short}`;
      const value = flag.kind === "bool" ? "" : " -r";
      lines.push(`complete -c mydocker ${when} -l ${flag.name}${short}${value} -d ${quote(flag.help)}`);
    }
    if (command.completes === "containers")
      lines.push(`complete -c mydocker ${when} -f -a "(${CONTAINERS})"`);
    if (command.completes === "images") lines.push(`complete -c mydocker ${when} -f -a "(${IMAGES})"`);
  }
  for (const [name, group] of Object.entries(GROUPS)) {
    lines.push(`complete -c mydocker -f -n __fish_use_subcommand -a ${name}`);
    const words = Object.keys(group).join(" ");
    lines.push(`complete -c mydocker -n '__fish_seen_subcommand_from ${name}' -f -a "${words}"`);
    const before = wordsBeforeVolumes(name, all).join(" ");
    if (before !== "") {
      const when = `__fish_seen_subcommand_from ${name}; and __fish_seen_subcommand_from ${before}`;
      lines.push(`complete -c mydocker -n '${when}' -f -a "(${VOLUMES})"`);
    }
  }
  return `${lines.join("\n")}\n`;
}
