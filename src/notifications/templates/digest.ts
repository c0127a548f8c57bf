import type { DigestFacts, DigestGroup } from "../../core/notification.ts"
import {
  countOf,
  describeChange,
  formatAmount,
  formatChange,
  formatClock,
  formatCount,
  formatDay,
  formatMonth,
  formatShare,
  formatShortDay,
  formatUsd,
  toName,
} from "../_format.ts"
import type { Message, MessageTable } from "../_message.ts"
import { type Template, toAddressTime, toLink, toParagraphs } from "./_template.ts"

export const toDigestDraft: Template<"digest"> = ({ facts }, context) => {
  const { since, until, time_zone: zone, cost, previous_cost: before, attention } = facts
  const change = describeChange(Number(cost), Number(before), BEFORE[facts.every])
  const lists: MessageTable[] = [
    { title: "Needs attention", columns: [{ label: "" }], rows: attention.map((text) => [toName(text, MAX_SENTENCE)]) },
    ...facts.top.map(({ dimension, groups }) =>
      toGroupTable(`Top by ${toName(dimension, 40)}`, toLabel(dimension), groups),
    ),
    toChangeTable(facts),
    toBudgetTable(facts),
    toBillTable(facts),
  ]
  return {
    title: `${toPeriodName(facts)} cost ${formatUsd(cost)}${change === undefined ? "" : `, ${change}`}`,
    summary: toParagraphs(describeRequests(facts), describeConfidence(facts)),
    fields: toFields(facts),
    tables: lists.filter(({ rows }) => rows.length > 0),
    chart: toChart(facts),
    link: toLink(context, {
      label: "Open the overview",
      view: "",
      params: { since: toAddressTime(since), until: toAddressTime(until), tz: zone },
    }),
  }
}

const MAX_SENTENCE = 300
const BEFORE = { day: "the day before", week: "the week before", month: "the month before" } as const

function toPeriodName({ every, since, time_zone: zone }: DigestFacts): string {
  if (every === "day") return formatDay(since, zone)
  if (every === "month") return formatMonth(since, zone)
  return `The week of ${formatShortDay(since, zone)}`
}

function describeRequests({ requests, errors }: DigestFacts): string {
  if (requests === 0) return "There were no requests."
  const failed = errors === 0 ? "none of them failed" : `${formatShare(errors, requests)} of them failed`
  return `There ${requests === 1 ? "was" : "were"} ${countOf(requests, "request")}, and ${failed}.`
}

function describeConfidence({ estimated_cost: estimated, unpriced_requests: unpriced, cost }: DigestFacts): string {
  const share = formatShare(Number(estimated), Number(cost))
  const sure =
    Number(estimated) === 0 ? "" : `${formatUsd(estimated)} of the cost (${share}) is estimated; the rest is exact. `
  const missing =
    unpriced === 0
      ? ""
      : `${countOf(unpriced, "request")} ${unpriced === 1 ? "has" : "have"} no known price, so the true cost is higher.`
  return `${sure}${missing}`.trim()
}

function toFields(facts: DigestFacts): Message["fields"] {
  const { cost, previous_cost, requests, previous_requests, errors, exact_cost, estimated_cost } = facts
  const change = (now: number, before: number) => (before === 0 && now === 0 ? "" : ` (${formatChange(now, before)})`)
  return [
    { label: "Cost", value: `${formatUsd(cost)}${change(Number(cost), Number(previous_cost))}` },
    { label: "Requests", value: `${formatCount(requests)}${change(requests, previous_requests)}` },
    { label: "Errors", value: `${formatCount(errors)} (${formatShare(errors, requests)})` },
    { label: "Exact", value: formatUsd(exact_cost) },
    { label: "Estimated", value: formatUsd(estimated_cost) },
    { label: "Without a price", value: countOf(facts.unpriced_requests, "request") },
  ]
}

const NUMBERS = [
  { label: "Cost", isNumber: true },
  { label: "Change", isNumber: true },
] as const

function toGroupTable(title: string, name: string, groups: readonly DigestGroup[]): MessageTable {
  return {
    title,
    columns: [{ label: name }, ...NUMBERS, { label: "Requests", isNumber: true }],
    rows: groups.map(({ value, cost, previous_cost, requests }) => [
      toName(value, 40),
      formatUsd(cost),
      formatChange(Number(cost), Number(previous_cost)),
      formatCount(requests),
    ]),
  }
}

function toChangeTable({ changes }: DigestFacts): MessageTable {
  return {
    title: "Biggest changes",
    columns: [
      { label: "Group" },
      { label: "Before", isNumber: true },
      { label: "Now", isNumber: true },
      { label: "Change", isNumber: true },
    ],
    rows: changes.map(({ dimension, value, cost, previous_cost }) => [
      `${toName(dimension, 20)} ${toName(value, 40)}`,
      formatUsd(previous_cost),
      formatUsd(cost),
      formatChange(Number(cost), Number(previous_cost)),
    ]),
  }
}

function toBudgetTable({ budgets }: DigestFacts): MessageTable {
  return {
    title: "Budgets near their limit",
    columns: [
      { label: "Limit" },
      { label: "Used", isNumber: true },
      { label: "Of", isNumber: true },
      { label: "Share", isNumber: true },
    ],
    rows: budgets.map(({ name, value, used, amount, unit }) => [
      value === "" ? toName(name, 40) : `${toName(name, 30)}: ${toName(value, 30)}`,
      formatAmount(used, unit),
      formatAmount(amount, unit),
      formatShare(Number(used), Number(amount)),
    ]),
  }
}

function toBillTable({ reconciliations }: DigestFacts): MessageTable {
  return {
    title: "Compared with the bill",
    columns: [
      { label: "Provider" },
      { label: "Billed", isNumber: true },
      { label: "Recorded", isNumber: true },
      { label: "Result" },
    ],
    rows: reconciliations.map(({ provider, billed, recorded, is_within_tolerance: isFine }) => [
      toName(provider, 40),
      formatUsd(billed),
      formatUsd(recorded),
      isFine ? "agrees" : "needs attention",
    ]),
  }
}

function toChart({ every, course, time_zone: zone }: DigestFacts): Message["chart"] {
  if (course.length < 2) return undefined
  const toLabel = every === "day" ? formatClock : formatShortDay
  return {
    title: every === "day" ? "Cost by hour" : "Cost by day",
    points: course.map(({ at, cost }) => ({ at: toLabel(at, zone), value: cost })),
  }
}

/** `model` and `key` are words of ours; metadata names begin with a capital already. */
function toLabel(dimension: string): string {
  const name = toName(dimension, 40)
  return name.charAt(0).toUpperCase() + name.slice(1)
}
