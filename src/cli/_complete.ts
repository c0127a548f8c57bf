import type { Options } from "./_command.ts"
import type { CommandEntry, Program } from "./_commands.ts"
import { WORDS } from "./_help.ts"

/** The words that can follow at the end of a command line. */
export interface Candidates {
  readonly words: readonly (readonly [word: string, text: string])[]
  /** The names of files may stand there too. */
  readonly files: boolean
}

const NOTHING: Candidates = { words: [], files: false }

/**
 * Returns what may stand for the last of the words, which is as far as it was typed and may be empty. It loads at most one
 * command.
 */
export async function complete(program: Program, words: readonly string[]): Promise<Candidates> {
  const typed = words.at(-1) ?? ""
  const before = words.slice(0, -1)
  if (before[0] === "help") before.shift()
  let entry: Program | CommandEntry = program
  while (entry.commands !== undefined && before[0] !== undefined && Object.hasOwn(entry.commands, before[0])) {
    entry = entry.commands[before.shift()!]!
  }
  const options = "load" in entry && entry.load ? ((await entry.load()).default.args as Options) : {}
  const choices = choicesOf(options, before)
  if (choices !== undefined) return select(choices, typed)
  if (typed.startsWith("-")) return select({ words: describe(options, before), files: false }, typed)
  if (before.length > 0) return select(NOTHING, typed)
  const below = Object.entries(entry.commands ?? {}).map(([name, { summary }]) => [name, summary] as const)
  const more = entry === program ? WORDS : firstWords(options)
  return select({ words: [...below, ...more], files: false }, typed)
}

/** Returns the values of the option that stands last, if it takes one. */
function choicesOf(options: Options, before: readonly string[]): Candidates | undefined {
  const last = before.at(-1)
  if (last === undefined || !last.startsWith("--") || last.includes("=")) return undefined
  const option = Object.hasOwn(options, last.slice(2)) ? options[last.slice(2)] : undefined
  if (option === undefined || option.type === "boolean") return undefined
  return valuesOf(option.valueHint ?? "")
}

/** Returns what a hint stands for: `text|json` is two words, and `FILE` a file. */
function valuesOf(hint: string): Candidates {
  const words = hint.includes("|") ? hint.split("|").map((word) => [word, ""] as const) : []
  return { words, files: /FILE|DIR/.test(hint) }
}

function firstWords(options: Options): Candidates["words"] {
  const first = Object.values(options).find(({ type }) => type === "positional")
  return valuesOf(first?.valueHint ?? "").words
}

/** Returns the options that may still be given. */
function describe(options: Options, before: readonly string[]): Candidates["words"] {
  return [
    ...Object.entries(options).flatMap(([name, option]) =>
      option.type === "positional" || (before.includes(`--${name}`) && !option.isRepeatable)
        ? []
        : [[`--${name}`, option.description ?? ""] as const],
    ),
    ["--help", "print its help"],
  ]
}

function select({ words, files }: Candidates, typed: string): Candidates {
  return { words: words.filter(([word]) => word.startsWith(typed)), files }
}
