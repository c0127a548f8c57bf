import type { AnomalyDriver, AnomalyFacts } from "../../core/notification.ts"
import { formatAbout, formatClock, formatDay, formatMoment, formatUsd, joinWords, toName } from "../_format.ts"
import { type Template, toAddressTime, toLink, toParagraphs } from "./_template.ts"

const MAX_NAMED = 2

export const toAnomalyDraft: Template<"anomaly"> = ({ facts }, context) => {
  const { period, since, until, time_zone: zone, cost, expected, upper, drivers } = facts
  const isHour = period === "hour"
  const when = isHour
    ? `from ${formatClock(since, zone)} to ${formatClock(until, zone)}`
    : `on ${formatDay(since, zone)}`
  const usual = formatAbout(expected)
  return {
    title: `Spend ${when} was ${formatUsd(cost)}, usually ${usual === "nothing" ? usual : `about ${usual}`}`,
    summary: toParagraphs(describeSize(facts), describeDrivers(drivers), ADVICE),
    fields: [
      { label: "Cost", value: formatUsd(cost) },
      { label: "Usually", value: usual },
      { label: "At most usual", value: formatUsd(upper) },
      { label: isHour ? "Hour" : "Day", value: isHour ? formatMoment(since, zone) : formatDay(since, zone) },
    ],
    tables: [
      {
        title: "What grew most",
        columns: [{ label: "Group" }, { label: "Cost", isNumber: true }, { label: "Usually", isNumber: true }],
        rows: drivers.map((each) => [
          `${toName(each.dimension, 20)} ${toName(each.value, 40)}`,
          formatUsd(each.cost),
          formatAbout(each.expected),
        ]),
      },
    ].filter(({ rows }) => rows.length > 0),
    link: toLink(context, {
      label: isHour ? "Open this hour" : "Open this day",
      view: "",
      params: { since: toAddressTime(since), until: toAddressTime(until), tz: zone, ...toFilter(drivers[0]) },
    }),
  }
}

const ADVICE =
  "If you did not expect this, open the requests and look who sends them. To stop it, revoke the key (majordomo-gateway keys revoke) or give it a limit (majordomo-gateway limits create). If it is the new normal, do nothing: after about four days it counts as usual."

function describeSize({ period, cost, expected, upper }: AnomalyFacts): string {
  const of = period === "hour" ? "this hour of the week" : "this day of the week"
  const ratio = Number(cost) / Number(expected)
  const times = ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)
  if (Number(expected) < 0.005 || ratio > 1000)
    return `At ${of}, there is usually no spend, or up to ${formatUsd(upper)}.`
  return `That is ${times} times the usual cost of ${of}. Up to ${formatUsd(upper)} would have been within its pattern.`
}

function describeDrivers(drivers: readonly AnomalyDriver[]): string | undefined {
  if (drivers.length === 0) return undefined
  const named = drivers.slice(0, MAX_NAMED).map(({ dimension, value, cost, expected }) => {
    const usual = formatAbout(expected)
    const group = FIXED.includes(dimension) ? `the ${dimension}` : toName(dimension)
    return `${group} "${toName(value)}" (${formatUsd(cost)}, usually ${usual === "nothing" ? usual : `about ${usual}`})`
  })
  return `What grew most: ${joinWords(named)}.`
}

const FIXED: readonly string[] = ["model", "provider", "key"]

function toFilter(driver: AnomalyDriver | undefined): Readonly<Record<string, string>> {
  if (driver === undefined) return {}
  const { dimension, value } = driver
  return FIXED.includes(dimension) ? { [dimension]: value } : { where: `${dimension}=${value}` }
}
