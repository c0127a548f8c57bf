import { type ArgDef, type ArgsDef, type CommandDef, defineCommand as defineCittyCommand } from "citty"
import { findNearest } from "../config/nearest.ts"
import { CommandError } from "../core/errors.ts"
import { isSecretValue } from "../core/secrets.ts"
import { printable } from "./_text.ts"

// Each command has its own arguments: a table of commands cannot name them all.
// biome-ignore lint/suspicious/noExplicitAny: citty's CommandDef is invariant in its arguments
export type AnyCommand = CommandDef<any> & { readonly examples?: readonly string[] }

/** Defines a command with examples, which `--help` shows. */
export function defineCommand<const T extends ArgsDef>(
  definition: CommandDef<T> & { readonly examples: readonly string[] },
): CommandDef<T> {
  return defineCittyCommand<T>(definition)
}

/** The options and words of a command. An option that `isRepeatable` may be given several times: `listValues` reads all. */
export type Options = Readonly<Record<string, ArgDef & { readonly isRepeatable?: true }>>

/** The options of every command. */
export const COMMON = {
  config: { type: "string", valueHint: "FILE", description: "read this settings file and no other" },
  demo: { type: "boolean", description: "use the data of serve --demo" },
} as const satisfies ArgsDef

export const JSON_OPTION = {
  json: { type: "boolean", description: "print JSON and nothing else" },
} as const satisfies ArgsDef

/** @throws CommandError (exit code 2) if a command is to print both JSON and comma-separated values */
export function checkFormat({
  json,
  csv,
}: {
  readonly json?: boolean | undefined
  readonly csv?: boolean | undefined
}) {
  if (json && csv) throw new CommandError("--json or --csv, not both", 2)
}

/**
 * Checks the arguments of a command, because citty accepts any.
 *
 * @throws CommandError (exit code 2) for an unknown or repeated option, a missing value, and a missing or extra word
 */
export function checkArguments(title: string, command: AnyCommand, args: readonly string[]): void {
  const known = command.args as Options
  const problem = findProblem(known, args)
  if (problem !== undefined) throw new CommandError(`${title}: ${problem} (see ${title} --help)`, 2)
}

function findProblem(known: Options, args: readonly string[]): string | undefined {
  const words: string[] = []
  const options = new Set<string>()
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!
    if (arg === "--") {
      words.push(...args.slice(i + 1))
      break
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg)
      continue
    }
    const [, name = "", value] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(arg)!
    const definition = arg.startsWith("--") && Object.hasOwn(known, name) ? known[name] : undefined
    if (definition === undefined || definition.type === "positional") return explainUnknown(arg, known)
    const takesNext = definition.type !== "boolean" && value === undefined
    const problem = checkOption({ name, definition, value, next: args[i + 1], isRepeated: options.has(name) })
    if (problem !== undefined) return problem
    if (takesNext) i++
    options.add(name)
  }
  return checkWords(known, words) ?? findMissingOption(known, options)
}

interface GivenOption {
  readonly name: string
  readonly definition: Options[string]
  /** The text after `=`. */
  readonly value: string | undefined
  /** The next argument. */
  readonly next: string | undefined
  readonly isRepeated: boolean
}

function checkOption({ name, definition, value, next, isRepeated }: GivenOption): string | undefined {
  if (definition.type === "boolean") {
    if (value !== undefined) return `--${name} takes no value`
  } else if (value === undefined && (next === undefined || next.startsWith("--"))) {
    return `--${name} needs a value: --${name} ${hintOf(name, definition)}`
  }
  return isRepeated && !definition.isRepeatable ? `--${name} is given twice` : undefined
}

function checkWords(known: Options, words: readonly string[]): string | undefined {
  const positionals = Object.entries(known).filter(([, { type }]) => type === "positional")
  const [missing] = positionals.slice(words.length).filter(([, { required }]) => required !== false)
  if (missing !== undefined) return `${missing[0].toUpperCase()} is missing`
  const extra = words[positionals.length]
  if (extra !== undefined && isSecretValue(extra)) {
    return "the last word looks like a secret, which other users of this machine can read: give it on stdin, and replace it"
  }
  return extra === undefined ? undefined : `"${printable(extra)}" is one word too many`
}

function findMissingOption(known: Options, options: ReadonlySet<string>): string | undefined {
  const missing = Object.entries(known).find(
    ([name, { required, type }]) => required && type !== "positional" && !options.has(name),
  )
  return missing === undefined ? undefined : `--${missing[0]} is missing`
}

function explainUnknown(arg: string, known: Options): string {
  const option = arg.split("=", 1)[0]!
  const names = Object.entries(known).flatMap(([name, { type }]) => (type === "positional" ? [] : [`--${name}`]))
  const meant = findNearest(option, [...names, "--help"])
  return `no such option ${printable(option)}${meant === undefined ? "" : `; did you mean ${meant}?`}`
}

/** Returns the word that stands for an option's value in help: `FILE`. */
export function hintOf(name: string, definition: ArgDef): string {
  return definition.valueHint ?? name.toUpperCase()
}
