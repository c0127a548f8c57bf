import { CommandError } from "../../core/errors.ts"
import { toUsedPercent, toUsedShare } from "../../core/limit.ts"
import type { ListedLimit } from "../../operations/limits/limit.ts"
import { listValues } from "../_args.ts"
import { toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { type Column, renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export const LIMIT = {
  type: "positional",
  required: true,
  description: "the limit's name, its id, or the beginning of its id",
} as const

/** The fields of a limit as options. Those of filters take an empty text, which removes the filter. */
export const FIELDS = {
  measure: {
    type: "string",
    valueHint: "WHAT",
    description: "cost (USD), requests, input_tokens, output_tokens, tokens, or concurrency",
  },
  amount: { type: "string", valueHint: "NUMBER", description: "how much of it, such as 50 or 0.25" },
  window: {
    type: "string",
    valueHint: "WINDOW",
    description: "minute, hour, day, week (from Monday), month, or total, which never resets",
  },
  tz: { type: "string", valueHint: "ZONE", description: "time zone of the window (default: UTC)" },
  key: { type: "string", valueHint: "KEY", description: "only requests of this API key, by its id or its name" },
  provider: { type: "string", valueHint: "NAME", description: "only requests to this provider" },
  model: { type: "string", valueHint: "NAME", description: "only this model; gpt-5* means all that begin with gpt-5" },
  where: {
    type: "string",
    valueHint: "NAME=VALUE",
    description: "only requests with this metadata, such as Team=search (repeatable)",
  },
  per: {
    type: "string",
    valueHint: "WHAT",
    description: "one amount for each key, each model, or each value of a metadata name such as User-Id",
  },
  action: { type: "string", valueHint: "ACTION", description: "block (default), or warn: reject nothing" },
  "notify-at": { type: "string", valueHint: "LIST", description: "percentages at which to notify, such as 50,80,100" },
  estimate: {
    type: "string",
    valueHint: "HOW",
    description: "reserve what requests are expected to use (default), or the maximum they can use",
  },
  unpriced: {
    type: "string",
    valueHint: "ACTION",
    description: "allow (default) or block models without a known price",
  },
} as const

type FieldArgs = { readonly [K in keyof typeof FIELDS]?: string | undefined }

/** Returns the fields of the options. An empty text removes a filter, and `--where ""` removes all conditions. */
export function readFields(args: FieldArgs, rawArgs: readonly string[]) {
  const { measure, amount, window, tz, key, provider, model, per, action, estimate, unpriced } = args
  const where = readConditions(rawArgs)
  const notify_at = readPercentages(args["notify-at"])
  return { measure, amount, window, tz, key, provider, model, where, per, action, notify_at, estimate, unpriced }
}

/** Returns the values of `--where` by name; undefined if there is none. */
export function readConditions(rawArgs: readonly string[]): Record<string, string> | undefined {
  const given = listValues("where", rawArgs)
  if (given.length === 0) return undefined
  return Object.fromEntries(
    given
      .filter((text) => text !== "")
      .map((text) => {
        const at = text.indexOf("=")
        if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
        throw new CommandError(`--where: expected NAME=VALUE, such as Team=search, got ${JSON.stringify(text)}`, 2)
      }),
  )
}

function readPercentages(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined
  if (text === "") return []
  const numbers = text
    .split(",")
    .map((each) => (/^\s*\d{1,4}%?\s*$/.test(each) ? Number.parseInt(each, 10) : Number.NaN))
  if (numbers.every((each) => each >= 1 && each <= 1000)) return numbers
  throw new CommandError(`--notify-at: expected percentages such as 50,80,100, got ${JSON.stringify(text)}`, 2)
}

/** Returns an amount in the unit of a measure: `$12.31`, `1,200`. */
function formatAmount(measure: ListedLimit["measure"], amount: string): string {
  return measure === "cost" ? toDollars(amount) : withThousands(amount)
}

/** Returns what a limit allows and has used, in plain words. */
export function describe(limit: ListedLimit): string {
  return printable(`${limit.summary} ${describeUse(limit)}`.trim())
}

function describeUse({ measure, used, per, value_name: value }: ListedLimit): string {
  const unit = measure === "cost" ? "USD" : measure === "concurrency" ? "" : measure.replace("_", " ")
  const amount = `${withThousands(used)} ${unit}`.trim()
  if (measure === "concurrency") return ""
  if (per === null) return `Used so far: ${amount}.`
  return value === null
    ? "Nothing was used so far."
    : `Used most so far: ${amount} by ${value || `requests without ${per}`}.`
}

const BAR_WIDTH = 10

/** Draws the use of a limit: `█` was used, `▒` is reserved. */
function drawBar({ amount, used, reserved }: ListedLimit): string {
  const total = Number(amount)
  const cells = (part: number) => (total === 0 ? BAR_WIDTH : Math.round((BAR_WIDTH * part) / total))
  const full = Math.min(BAR_WIDTH, Number(used) > 0 ? Math.max(1, cells(Number(used))) : 0)
  const held = Math.min(BAR_WIDTH - full, cells(Number(reserved)))
  return "█".repeat(full) + "▒".repeat(held) + "░".repeat(BAR_WIDTH - full - held)
}

function toShare(limit: ListedLimit): string {
  return `${toUsedPercent(toUsedShare(limit))}%`
}

/** Renders limits as a table with what is left of each. `now` is in ms since the epoch. */
export function renderLimits(limits: readonly ListedLimit[], screen: Screen, now: number): string {
  const column = (title: string, pick: (limit: ListedLimit) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: limits.map(pick), ...more }
  }
  const number = (title: string, pick: (limit: ListedLimit) => string, more: Partial<Column> = {}) =>
    column(title, pick, { align: "right", ...more })
  const amount = (field: "used" | "reserved" | "remaining" | "amount") => (limit: ListedLimit) =>
    formatAmount(limit.measure, limit[field])
  const isDivided = limits.some(({ per }) => per !== null)
  return renderTable(
    [
      column("Name", ({ name }) => name, { shrinks: true }),
      column("Measure", ({ measure, window }) => (window === "total" ? measure : `${measure} per ${window}`), {
        hideRank: 3,
      }),
      ...(isDivided ? [column("Most used by", toValueCell, { shrinks: true, hideRank: 4 })] : []),
      number("Used", amount("used")),
      number("Reserved", amount("reserved"), { hideRank: 2 }),
      number("Left", amount("remaining")),
      number("Limit", amount("amount")),
      column("Use", (limit) => (screen.drawing ? `${drawBar(limit)} ` : "") + toShare(limit), { hideRank: 1 }),
      column("Resets", ({ resets_at: at }) => toWait(at, now)),
      column("ID", ({ id }) => id, { hideRank: 5 }),
    ],
    screen,
  )
}

function toValueCell({ per, value_name: value }: ListedLimit): string {
  if (per === null) return "-"
  return value === null ? `(each ${per})` : value || `(no ${per})`
}

/** Returns the time until a window ends: `in 4h`; `-` for one that does not end. */
function toWait(at: string | null, now: number): string {
  if (at === null) return "-"
  const minutes = Math.max(0, Math.ceil((Date.parse(at) - now) / 60_000))
  if (minutes < 60) return `in ${minutes}m`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `in ${hours}h` : `in ${Math.round(hours / 24)}d`
}

/** Renders one limit, with a line for each of its members. */
export function renderLimit(limit: ListedLimit): string {
  const amount = (text: string) => formatAmount(limit.measure, text)
  const lines = [
    ["ID", limit.id],
    ["Name", limit.name],
    ["Allows", limit.summary],
    ["Action", limit.action],
    ["Notify at", limit.notify_at.map((percent) => `${percent}%`).join(", ") || "-"],
    ["Estimate", limit.estimate],
    ["Unpriced", limit.unpriced],
    ["Set in", limit.source === "config" ? "the configuration" : "the database"],
    ...(limit.per === null ? [] : [["Most used by", toValueCell(limit)] as const]),
    ["Used", `${amount(limit.used)} (${toShare(limit)})`],
    ["Reserved", amount(limit.reserved)],
    ["Left", amount(limit.remaining)],
    ["Resets", toTime(limit.resets_at)],
  ] as const
  return lines.map(([name, value]) => `${`${name}:`.padEnd(14)}${printable(value)}`).join("\n")
}
