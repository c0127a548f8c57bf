import type { SpanNode, Step } from "../../operations/runs/get.ts"
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

/** Renders a run as a table of nested spans: when each took place, and what it cost. */
export function renderWaterfall(root: SpanNode, screen: Screen): string {
  const lines = toLines(root, 0)
  const total = toSpanCost(root)
  const costs = alignPoints([...lines.map(({ cost }) => cost), total])
  const width = screen.width === undefined || screen.width >= 100 ? 30 : 16
  const columns: Column[] = [
    { title: "Span", align: "left", cells: lines.map(({ label }) => label), total: "Total", shrinks: true },
    { title: "Model", align: "left", cells: lines.map(({ model }) => model), hideRank: 3, shrinks: true },
    {
      title: "Start",
      align: "right",
      cells: lines.map(({ since }) => `+${toDuration(since - root.since)}`),
      hideRank: 4,
    },
    {
      title: "Took",
      align: "right",
      cells: lines.map(({ since, until }) => toDuration(until - since)),
      total: toDuration(root.until - root.since),
    },
    ...(screen.drawing
      ? [
          {
            title: "Time",
            align: "left" as const,
            cells: lines.map((line) => toTimeBar(line, root, width)),
            hideRank: 2,
          },
        ]
      : []),
    {
      title: "Tokens",
      align: "right",
      cells: toCounts(lines.map(({ tokens }) => tokens)),
      total: toCounts([root.inputTokens + root.outputTokens])[0]!,
      hideRank: 1,
    },
    { title: "Cost", align: "right", cells: costs.slice(0, -1), total: costs.at(-1)! },
    ...(lines.some(({ note }) => note !== "")
      ? [{ title: "", align: "left" as const, cells: lines.map(({ note }) => note), hideRank: 5 }]
      : []),
  ]
  return renderTable(columns, screen)
}

/** Returns the lines depth first. The members of a span are in the order in which they began. */
function toLines(span: SpanNode, depth: number): Line[] {
  const members = [
    ...span.steps.map((step) => ({ since: step.since, lines: () => [toStepLine(step, depth)] })),
    ...span.children.map((child) => ({
      since: child.since,
      lines: () => [toSpanLine(child, depth), ...toLines(child, depth + 1)],
    })),
  ]
  return members.toSorted((a, b) => a.since - b.since).flatMap(({ lines }) => lines())
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
    cost: step.isSubscribed
      ? "subscription"
      : step.cost === undefined
        ? "unpriced"
        : `${isEstimated(step) ? "~" : ""}${toDollars(step.cost)}`,
    note: step.isError ? `error ${step.status}` : "",
  }
}

/** Renders a span's cost. `>` means that a part has no price; `~` that a part is estimated. */
export function toSpanCost({ cost, unpriced, estimated }: SpanNode): string {
  if (cost === undefined) return "unpriced"
  return `${unpriced > 0 ? ">" : estimated > 0 ? "~" : ""}${toDollars(cost)}`
}

function isEstimated({ costStatus }: Step): boolean {
  return costStatus === "estimated" || costStatus === "inconsistent"
}

/** Draws when a line took place within the run, which is `width` columns wide. Every bar has at least one column. */
function toTimeBar({ since, until }: Line, root: SpanNode, width: number): string {
  const durationMs = Math.max(1, root.until - root.since)
  const from = Math.min(width - 1, Math.floor(((since - root.since) / durationMs) * width))
  const to = Math.max(from + 1, Math.ceil(((until - root.since) / durationMs) * width))
  return " ".repeat(from) + "━".repeat(Math.min(width, to) - from) + " ".repeat(Math.max(0, width - to))
}
