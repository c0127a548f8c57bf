import type { SpanNode, Step } from "../../reports/index.ts"
import { alignPoints, toDollars } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { toDuration } from "./runs.ts"

interface Line {
  readonly label: string
  readonly model: string
  readonly since: number
  readonly until: number
  readonly tokens: number
  readonly cost: string
  readonly note: string
}

/** A run as a table: its spans indented as they contain each other, when each took place, and what it cost. */
export function renderWaterfall(root: SpanNode, screen: Screen): string {
  const lines = toLines(root, 0)
  const total = toSpanCost(root)
  const costs = alignPoints([...lines.map(({ cost }) => cost), total])
  const width = screen.width === undefined || screen.width >= 100 ? 30 : 16
  const columns: Column[] = [
    { title: "Span", align: "left", cells: lines.map(({ label }) => label), total: "Total", shrinks: true },
    { title: "Model", align: "left", cells: lines.map(({ model }) => model), leaves: 3, shrinks: true },
    {
      title: "Start",
      align: "right",
      cells: lines.map(({ since }) => `+${toDuration(since - root.since)}`),
      leaves: 4,
    },
    {
      title: "Took",
      align: "right",
      cells: lines.map(({ since, until }) => toDuration(until - since)),
      total: toDuration(root.until - root.since),
    },
    ...(screen.drawing
      ? [{ title: "Time", align: "left" as const, cells: lines.map((line) => toTimeBar(line, root, width)), leaves: 2 }]
      : []),
    {
      title: "Tokens",
      align: "right",
      cells: toCounts(lines.map(({ tokens }) => tokens)),
      total: toCounts([root.inputTokens + root.outputTokens])[0]!,
      leaves: 1,
    },
    { title: "Cost", align: "right", cells: costs.slice(0, -1), total: costs.at(-1)! },
    ...(lines.some(({ note }) => note !== "")
      ? [{ title: "", align: "left" as const, cells: lines.map(({ note }) => note), leaves: 5 }]
      : []),
  ]
  return renderTable(columns, screen)
}

/** Depth first; what a span holds stands in the order in which it began. */
function toLines(span: SpanNode, depth: number): Line[] {
  const inside = [
    ...span.steps.map((step) => ({ since: step.since, lines: () => [toStepLine(step, depth)] })),
    ...span.children.map((child) => ({
      since: child.since,
      lines: () => [toSpanLine(child, depth), ...toLines(child, depth + 1)],
    })),
  ]
  return inside.toSorted((a, b) => a.since - b.since).flatMap(({ lines }) => lines())
}

function toSpanLine(span: SpanNode, depth: number): Line {
  const noun = span.requests === 1 ? "request" : "requests"
  return {
    label: `${"  ".repeat(depth)}${span.name}`,
    model: `(${span.requests} ${noun})`,
    since: span.since,
    until: span.until,
    tokens: span.inputTokens + span.outputTokens,
    cost: toSpanCost(span),
    note: "",
  }
}

function toStepLine(step: Step, depth: number): Line {
  return {
    label: `${"  ".repeat(depth)}${step.name || "request"}`,
    model: step.model,
    since: step.since,
    until: step.until,
    tokens: step.inputTokens + step.outputTokens,
    cost: step.cost === undefined ? "unpriced" : `${isRough(step) ? "~" : ""}${toDollars(step.cost)}`,
    note: step.isError ? `error ${step.status}` : "",
  }
}

/** `>`: something in it has no price; `~`: something in it is estimated. */
export function toSpanCost({ cost, unpriced, estimated }: SpanNode): string {
  if (cost === undefined) return "unpriced"
  return `${unpriced > 0 ? ">" : estimated > 0 ? "~" : ""}${toDollars(cost)}`
}

function isRough({ costStatus }: Step): boolean {
  return costStatus === "estimated" || costStatus === "inconsistent"
}

/** When it took place within the run: the run is `width` wide, and nothing is too short to be seen. */
function toTimeBar({ since, until }: Line, root: SpanNode, width: number): string {
  const whole = Math.max(1, root.until - root.since)
  const from = Math.min(width - 1, Math.floor(((since - root.since) / whole) * width))
  const to = Math.max(from + 1, Math.ceil(((until - root.since) / whole) * width))
  return " ".repeat(from) + "━".repeat(Math.min(width, to) - from) + " ".repeat(Math.max(0, width - to))
}
