import { readFileSync } from "node:fs"

/** A fenced block of a page that is marked to be run, such as ```` ```ts run ````. */
export interface Block {
  readonly page: string
  /** The line number of the opening fence. */
  readonly line: number
  readonly language: string
  /** The words after the language: `run`, `background`, `name=value`. */
  readonly marks: ReadonlyMap<string, string>
  readonly text: string
  /** The columns that the newest row must have, from a comment after the block. */
  readonly row: Readonly<Record<string, unknown>> | undefined
}

const PAGES = new URL("../../docs/", import.meta.url)

/** Returns all fenced blocks of a page, in order. */
export function readBlocks(page: string): Block[] {
  const lines = readFileSync(new URL(page, PAGES), "utf8").split("\n")
  const blocks: Block[] = []
  for (let at = 0; at < lines.length; at++) {
    const [, info] = /^```(\S.*)$/.exec(lines[at]!) ?? []
    if (info === undefined) continue
    const end = lines.indexOf("```", at + 1)
    if (end === -1) throw new Error(`${page}:${at + 1}: this block is not closed`)
    const [language = "", ...words] = info.split(/\s+/)
    blocks.push({
      page,
      line: at + 1,
      language,
      marks: new Map(words.map((word) => [word.split("=", 1)[0]!, word.slice(word.indexOf("=") + 1)])),
      text: lines.slice(at + 1, end).join("\n"),
      row: readRow(lines[end + 1] ?? ""),
    })
    at = end
  }
  return blocks
}

function readRow(line: string): Readonly<Record<string, unknown>> | undefined {
  const json = /^<!-- row: (.*) -->$/.exec(line)?.[1]
  return json === undefined ? undefined : (JSON.parse(json) as Record<string, unknown>)
}

/** One command of a `console` block, and the output that the page shows for it. */
export interface Step {
  readonly command: string
  readonly expected: string
}

/** Splits a block into steps: `$ command`, continuation lines after a backslash, then the output up to the next command. */
export function toSteps(text: string): Step[] {
  const steps: { command: string; expected: string[] }[] = []
  for (const line of text.split("\n")) {
    const last = steps.at(-1)
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), expected: [] })
    else if (last !== undefined && last.expected.length === 0 && last.command.endsWith("\\"))
      last.command += `\n${line}`
    else last?.expected.push(line)
  }
  return steps.map(({ command, expected }) => ({ command, expected: expected.join("\n") }))
}

/** Compares an output with the page. `…` stands for any part of a line, and alone on a line for any number of lines. */
export function isShown(expected: string, output: string): boolean {
  const lines = expected.trimEnd().split("\n")
  const pattern = lines.map((line) => {
    if (line.trim() === "…") return "(?:[^\\n]*\\n)*?"
    const words = line
      .trimEnd()
      .split("…")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/ {2,}/g, " +"))
    return `${words.join("[^\\n]*?")} *\\n`
  })
  return new RegExp(`^${pattern.join("")}$`).test(`${output.trimEnd()}\n`)
}
