import { type AnyCommand, hintOf, type Options } from "./_command.ts"
import type { CommandEntry, CommandTable, Program } from "./_commands.ts"
import { findScreen } from "./_print.ts"
import { wrap } from "./_text.ts"

type Pair = readonly [name: string, text: string]

/** The words that stand for options of the program. */
export const WORDS: readonly Pair[] = [
  ["help", "explain a command: help COMMAND"],
  ["version", "print the version"],
]

/** Returns the help of a group of commands. It loads none of them. */
export function groupHelp(title: string, program: Program, group: Program | CommandEntry): string {
  const isProgram = group === program
  const head = isProgram
    ? `${program.name} ${program.version}: what did our LLM calls cost, and who spent it?`
    : `${title}: ${(group as CommandEntry).summary}`
  return lines([
    ...wrap(head, findWidth()),
    "",
    ...toUsage(`${title} COMMAND [OPTIONS]`),
    "",
    "Commands:",
    ...columns([
      ...listCommands(group.commands!),
      ...(isProgram
        ? ([
            ["help", "explain a command: help COMMAND"],
            ["version", "print the version"],
          ] as const)
        : []),
    ]),
    "",
    "Options:",
    ...columns([
      ["--help", "explain a command: COMMAND --help"],
      ...(isProgram ? ([["--version", "the same as version"]] as const) : []),
    ]),
    ...(isProgram
      ? ["", "First steps:", "  npx majordomo-gateway serve", "  npx majordomo-gateway usage --by model"]
      : []),
  ])
}

/** Returns the help of one command, from its definition. */
export function commandHelp(title: string, command: AnyCommand, entry: CommandEntry): string {
  const args = command.args as Options
  const { description } = command.meta as { description?: string }
  const positionals = Object.entries(args).filter(([, { type }]) => type === "positional")
  const options = Object.entries(args).filter(([, { type }]) => type !== "positional")
  const shape = positionals.map(([name, arg]) =>
    arg.required === false ? `[${name.toUpperCase()}]` : name.toUpperCase(),
  )
  const required = options.flatMap(([name, arg]) => (arg.required ? [`--${name} ${hintOf(name, arg)}`] : []))
  return lines([
    ...wrap(`${title}: ${description ?? entry.summary}`, findWidth()),
    "",
    ...toUsage([title, ...shape, ...required, "[OPTIONS]"].join(" ")),
    ...(entry.commands ? ["", "Commands:", ...columns(listCommands(entry.commands))] : []),
    ...section(
      "Arguments",
      positionals.map(([name, arg]) => [name.toUpperCase(), arg.description ?? ""]),
    ),
    ...section("Options", [
      ...options.map(([name, arg]): Pair => {
        const value = arg.type === "boolean" ? "" : ` ${hintOf(name, arg)}`
        const note = arg.isRepeatable ? " (repeatable)" : ""
        return [`--${name}${value}`, (arg.description ?? "") + note]
      }),
      ["--help", "print this help"],
    ]),
    ...(command.examples ? ["", "Examples:", ...command.examples.flatMap(toExample)] : []),
  ])
}

/** Help is at most this wide, and narrower on a narrower terminal. */
const MAX_WIDTH = 80

function findWidth(): number {
  return Math.min(MAX_WIDTH, findScreen().width ?? MAX_WIDTH)
}

function toUsage(shape: string): string[] {
  const [first = "", ...more] = wrap(`Usage: ${shape}`, findWidth() - 2)
  return [first, ...more.map((line) => `  ${line}`)]
}

/** Continues a long command on the next lines, so that it can be copied. A quoted word stays whole, and an option with its value. */
function toExample(command: string): string[] {
  const words = command.match(/(?:--\S+ (?!-))?(?:[^\s'"]|'[^']*'|"[^"]*")+/g) ?? []
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length + " ".length <= findWidth() - " \\".length)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(last === undefined ? `  ${word}` : `      ${word}`)
  }
  return lines.map((line, i) => (i < lines.length - 1 ? `${line} \\` : line))
}

function listCommands(commands: CommandTable): Pair[] {
  return Object.entries(commands).map(([name, { summary, commands: below }]) => [
    name,
    below ? `${summary} (${Object.keys(below).join(", ")})` : summary,
  ])
}

function section(title: string, pairs: readonly Pair[]): string[] {
  return pairs.length === 0 ? [] : ["", `${title}:`, ...columns(pairs)]
}

/** Formats pairs in two columns. A name that is too long for the first column gets a line of its own. */
function columns(pairs: readonly Pair[]): string[] {
  const width = Math.min(24, Math.max(...pairs.map(([name]) => name.length)))
  return pairs.flatMap(([name, text]) => {
    const [first = "", ...more] = wrap(text, findWidth() - width - 4)
    const rest = more.map((line) => " ".repeat(width + 4) + line)
    if (name.length > width) return [`  ${name}`, " ".repeat(width + 4) + first, ...rest]
    return [`  ${name.padEnd(width)}  ${first}`.trimEnd(), ...rest]
  })
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`
}
