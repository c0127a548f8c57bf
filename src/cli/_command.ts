import { type ArgDef, type ArgsDef, type CommandDef, defineCommand as defineCittyCommand } from "citty"
import { findNearest } from "../config/nearest.ts"
import { CommandError } from "../core/errors.ts"
import { printable } from "./_text.ts"

// A command's arguments are its own business: a table of commands cannot name them all.
// biome-ignore lint/suspicious/noExplicitAny: citty's CommandDef is invariant in its arguments
export type AnyCommand = CommandDef<any> & { readonly examples?: readonly string[] }

/** citty's command, with lines for `--help` that one may copy. */
export function defineCommand<const T extends ArgsDef>(
  definition: CommandDef<T> & { readonly examples: readonly string[] },
): CommandDef<T> {
  return defineCittyCommand<T>(definition)
}

/** The options that every command has. */
export const COMMON = {
  config: { type: "string", valueHint: "FILE", description: "read this settings file and no other" },
} as const satisfies ArgsDef

export const JSON_OPTION = {
  json: { type: "boolean", description: "print JSON and nothing else" },
} as const satisfies ArgsDef

/** citty takes whatever comes. We refuse unknown options, options without their value, and words too many or too few. */
export function checkArguments(title: string, command: AnyCommand, args: readonly string[]): void {
  const known = command.args as ArgsDef
  const refuse = (why: string): never => {
    throw new CommandError(`${title}: ${why} (see ${title} --help)`, 2)
  }
  const words: string[] = []
  const given = new Set<string>()
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
    const [, name, value] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(arg)!
    const definition = arg.startsWith("--") && Object.hasOwn(known, name!) ? known[name!] : undefined
    if (definition === undefined || definition.type === "positional") refuse(whyUnknown(arg, known))
    else if (definition.type === "boolean") {
      if (value !== undefined) refuse(`--${name} takes no value`)
    } else if (value === undefined) {
      const next = args[++i]
      if (next === undefined || next.startsWith("--"))
        refuse(`--${name} needs a value: --${name} ${hintOf(name!, definition)}`)
    }
    if (given.has(name!) && !/repeatable/.test(definition?.description ?? "")) refuse(`--${name} is there twice`)
    given.add(name!)
  }
  const places = Object.entries(known).filter(([, { type }]) => type === "positional")
  const [missing] = places.slice(words.length).filter(([, { required }]) => required !== false)
  if (missing !== undefined) refuse(`${missing[0].toUpperCase()} is missing`)
  if (words.length > places.length) refuse(`"${printable(words[places.length]!)}" is one word too many`)
  for (const [name, { required, type }] of Object.entries(known)) {
    if (required && type !== "positional" && !given.has(name)) refuse(`--${name} is missing`)
  }
}

function whyUnknown(arg: string, known: ArgsDef): string {
  const option = arg.split("=", 1)[0]!
  const names = Object.entries(known).flatMap(([name, { type }]) => (type === "positional" ? [] : [`--${name}`]))
  const meant = findNearest(option, [...names, "--help"])
  return `no such option ${printable(option)}${meant === undefined ? "" : `; did you mean ${meant}?`}`
}

export function hintOf(name: string, definition: ArgDef): string {
  return definition.valueHint ?? name.toUpperCase()
}
