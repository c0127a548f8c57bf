import { type Counter, toCounted, toFilter } from "../../src/database/counters.ts"

const WIDTH = 118

/** The items of a placeholder in a template: one for each counter. */
const LISTS: Readonly<Record<string, (counter: Counter) => string>> = {
  /** The columns. */
  counters: ({ name }) => name,
  /** From rows that are all counted. */
  counted: toCounted,
  /** From rows with a `sign`: 1 to add the row to the totals, -1 to take it away. */
  signed: ({ name, of }) => `coalesce(sum(${"sum" in of ? `sign * ${of.sum}` : "sign"})${toFilter(of)}, 0) AS ${name}`,
  /** From totals. */
  totals: ({ name }) => `sum(${name})`,
  named_totals: ({ name }) => `sum(${name}) AS ${name}`,
  negated: ({ name }) => `-${name}`,
  /** The item in an upsert into the table `t`. */
  added: ({ name }) => `${name} = t.${name} + excluded.${name}`,
  definitions: ({ name, type }) => `${name} ${type} NOT NULL DEFAULT 0`,
}

/** Replaces each line that holds `{list}` by the list, wrapped and indented like that line. */
export function expand(template: string, counters: readonly Counter[]): string {
  return template
    .split("\n")
    .map((line) => {
      const [, indent = "", before = "", list = "", after = ""] = /^(\s*)(.*?)\{(\w+)\}(.*)$/.exec(line) ?? []
      if (list === "") return line
      const toItem = LISTS[list]
      if (toItem === undefined) throw new Error(`a template of build/schema has no list {${list}}`)
      const items = counters.map(toItem)
      return wrap([`${before}${items[0]}`, ...items.slice(1, -1), `${items.at(-1)}${after}`], indent)
    })
    .join("\n")
}

function wrap(items: readonly string[], indent: string): string {
  const lines: string[] = []
  let line = ""
  for (const [at, item] of items.entries()) {
    const text = at < items.length - 1 ? `${item},` : item
    if (line !== "" && indent.length + line.length + 1 + text.length > WIDTH) {
      lines.push(indent + line)
      line = ""
    }
    line += line === "" ? text : ` ${text}`
  }
  return [...lines, indent + line].join("\n")
}
