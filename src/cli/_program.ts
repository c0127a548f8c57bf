import cluster from "node:cluster"
import { runCommand } from "citty"
import { findNearest } from "../config/nearest.ts"
import { readRuntimeEnvironment } from "../config/runtime-environment.ts"
import { CommandError, explainSystemError } from "../core/errors.ts"
import { InputError } from "../operations/input-error.ts"
import { listValues } from "./_args.ts"
import { checkArguments } from "./_command.ts"
import type { CommandEntry, Program } from "./_commands.ts"
import { type Candidates, complete } from "./_complete.ts"
import { replaceDemo } from "./_demo-file.ts"
import { commandHelp, groupHelp } from "./_help.ts"
import { showExactMoney } from "./_money.ts"
import { exitOnBrokenPipe, printMessage, wrapMessage } from "./_print.ts"
import { printable, toMessage } from "./_text.ts"
import { parseWatch, watch } from "./_watch.ts"

/** The word with which the scripts of `completion` ask what may come next. */
const COMPLETE = "__complete"

/** Finds the command, checks its arguments and runs it. Errors become a line on stderr and an exit code. */
export async function runProgram(program: Program, args: readonly string[]): Promise<void> {
  exitOnBrokenPipe()
  // Warnings of packages are meant for developers, such as those of an SDK about the version of Node.
  if (!readRuntimeEnvironment().debug) process.removeAllListeners("warning")
  try {
    await dispatch(program, args)
  } catch (error) {
    process.exitCode = printError(explainSystemError(error))
  }
}

async function dispatch(program: Program, given: readonly string[]): Promise<void> {
  if (given[0] === COMPLETE) return printCandidates(await complete(program, given.slice(1)))
  const args = replaceWords(given)
  const { names, entry, rest } = findCommand(program, args)
  const options = beforeDashes(rest)
  if (entry === program && options.some((arg) => arg === "--version" || arg === "-v")) {
    process.stdout.write(`${program.version}\n`)
    return
  }
  const title = [program.name, ...names].join(" ")
  const wantsHelp = options.some((arg) => arg === "--help" || arg === "-h")
  if (!("load" in entry) || entry.load === undefined) {
    if (wantsHelp) return void process.stdout.write(groupHelp(title, program, entry))
    if (options.length === 0 && entry === program) {
      process.stderr.write(groupHelp(title, program, entry))
      process.exitCode = 2
      return
    }
    throw new CommandError(explainNoCommand(title, entry, options[0]), 2)
  }
  const begins = "begins" in entry ? entry.begins : undefined
  if (begins !== undefined && !wantsHelp) printBeginning(begins, options)
  const { default: command } = await entry.load()
  if (wantsHelp) return void process.stdout.write(commandHelp(title, command, entry))
  checkArguments(title, command, rest)
  showExactMoney(Object.hasOwn(command.args ?? {}, "exact") && options.includes("--exact"))
  const show = () => runCommand(command, { rawArgs: replaceDemo(command, rest) })
  const seconds = Object.hasOwn(command.args ?? {}, "watch") ? parseWatch(listValues("watch", rest)[0]) : undefined
  await (seconds === undefined ? show() : watch(seconds, show))
}

/** Says on a terminal that something happens. A log for programs has no such line, and a worker says nothing. */
function printBeginning(text: string, options: readonly string[]): void {
  const isForPrograms = options.some((option) => option.startsWith("--log-format"))
  if (process.stderr.isTTY && !isForPrograms && cluster.isPrimary) printMessage(text)
}

/** Returns the options for which `help COMMAND` and `version` stand. */
function replaceWords(args: readonly string[]): readonly string[] {
  if (args[0] === "help") return [...args.slice(1), "--help"]
  return args[0] === "version" ? ["--version", ...args.slice(1)] : args
}

function printCandidates({ words, files }: Candidates): void {
  const lines = words.map(([word, text]) => `${word}\t${text}`)
  process.stdout.write([...lines, ...(files ? [":files"] : [])].map((line) => `${line}\n`).join(""))
}

type Group = Program | CommandEntry

/** Returns the deepest command that the words name, and the arguments that are left for it. */
function findCommand(program: Program, args: readonly string[]): { names: string[]; entry: Group; rest: string[] } {
  const names: string[] = []
  let entry: Group = program
  let rest = [...args]
  while (entry.commands !== undefined) {
    const at = findWord(rest)
    const word = at === -1 ? undefined : rest[at]!
    if (word === undefined) break
    const next: CommandEntry | undefined = Object.hasOwn(entry.commands, word) ? entry.commands[word] : undefined
    if (next === undefined) {
      throw new CommandError(explainUnknownCommand([program.name, ...names].join(" "), entry, word), 2)
    }
    names.push(word)
    rest = rest.toSpliced(at, 1)
    entry = next
  }
  return { names, entry, rest }
}

/**
 * Returns the index of the first word. Only `--config FILE` may stand before a command: after any other option the word
 * may be the option's value.
 */
function findWord(args: readonly string[]): number {
  const at = args[0] === "--config" ? 2 : args[0]?.startsWith("--config=") ? 1 : 0
  return args[at] === undefined || args[at].startsWith("-") ? -1 : at
}

function explainUnknownCommand(title: string, { commands }: Group, word: string): string {
  const meant = findNearest(word, Object.keys(commands!))
  const hint = meant === undefined ? `there are ${Object.keys(commands!).join(", ")}` : `did you mean "${meant}"?`
  return `${title}: no such command "${printable(word)}"; ${hint}`
}

function explainNoCommand(title: string, { commands }: Group, option: string | undefined): string {
  const names = Object.keys(commands!).join(", ")
  if (option === undefined) return `${title}: a command is missing: ${names} (see ${title} --help)`
  return `${title}: no such option ${printable(option)}; the commands are ${names}`
}

function beforeDashes(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--")
  return end === -1 ? args : args.slice(0, end)
}

/** Prints an error and returns the exit code. The fields of an operation's input are options here. */
function printError(error: unknown): number {
  if (error instanceof CommandError) {
    const message =
      error instanceof InputError ? `--${error.field.replaceAll("_", "-")}: ${error.problem}` : error.message
    // Without a message, the error stands in the log already.
    if (message !== "") process.stderr.write(`${wrapMessage(`error: ${toMessage(message)}`)}\n`)
    return error.exitCode
  }
  const { debug } = readRuntimeEnvironment()
  if (debug) process.stderr.write(`${toMessage(error instanceof Error ? String(error.stack) : String(error))}\n`)
  else process.stderr.write("error: internal error; run it again with MAJORDOMO_DEBUG=1 to see where\n")
  return 1
}
