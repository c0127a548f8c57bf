import type { OutputOf } from "../api/_route.ts"
import type { status } from "../api/routes/status.ts"
import { toUsedPercent } from "../core/limit.ts"
import { toDollars } from "./_money.ts"
import { printable, withThousands } from "./_text.ts"

type Status = OutputOf<typeof status.get>
type Line = readonly [name: string, fact: string]

/** Returns the state of everything as lines with a name. `now` is in milliseconds since the epoch. */
export function describeStatus(found: Status, now: number): readonly Line[] {
  const { version, database, replica, rows, unpriced, budgets, reconciliations, archive } = found
  const n = withThousands
  const sum = `${n(rows.accepted)} accepted = ${n(rows.written)} written + ${n(rows.waiting)} waiting + ${n(rows.rejected)} rejected + ${n(rows.dropped)} dropped`
  return [
    ["Version", version],
    ["Database", describeDatabase(database)],
    ...(replica === null ? [] : [["Replica", describeReplica(replica)] as const]),
    ...describeGateways(found, now),
    ["Rows", sum],
    ["Prices", describePrices(found, now)],
    // A gateway of an older version does not know these.
    ...(unpriced === undefined ? [] : [["Unpriced", describeUnpriced(unpriced)] as const]),
    ...(budgets === undefined ? [] : [["Budgets", describeBudgets(budgets)] as const]),
    ...(reconciliations === undefined ? [] : describeBills(reconciliations)),
    ...(archive ? [["Archive", describeArchive(archive)] as const] : []),
  ]
}

function describeDatabase({ title, address, bytes, schema }: Status["database"]): string {
  const where = address === undefined || title.startsWith("embedded") ? title : address
  const size = bytes == null ? "" : `, ${toSize(bytes)}`
  const version = schema?.version == null ? "" : `, schema ${schema.version}`
  return printable(`${where}${size}${version}`)
}

/** Renders a size: `82 MB`, `1.4 GB`. */
function toSize(bytes: number): string {
  if (bytes < 1e9) return `${Math.max(1, Math.round(bytes / 1e6))} MB`
  return `${(bytes / 1e9).toFixed(1)} GB`
}

function describeReplica({ is_used: isUsed, lag_ms: lag }: NonNullable<Status["replica"]>): string {
  const behind = lag === null ? "" : `${(lag / 1000).toFixed(2)} s behind; `
  return `${behind}reports are read from ${isUsed ? "it" : "the primary"}`
}

/** Returns a line for each gateway: the processes with one data directory are one. */
function describeGateways({ gateways }: Status, now: number): readonly Line[] {
  if (gateways.length === 0) return [["Gateways", "none is running"]]
  const groups = new Map<string, Status["gateways"]>()
  for (const each of gateways) {
    const key = each.directory ?? each.name
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  return [...groups.values()].map((processes, i) => [i === 0 ? "Gateways" : "", describeGateway(processes, now)])
}

function describeGateway(processes: Status["gateways"], now: number): string {
  const [first] = processes
  const workers = processes.length > 1 ? `, and ${processes.length - 1} more processes` : ""
  const starts = processes.flatMap(({ started_at: at }) => (at == null ? [] : [Date.parse(at)]))
  const up = starts.length === 0 ? "" : `, up for ${toAge(now - Math.min(...starts))}`
  const seen = Math.max(...processes.map(({ last_seen_at: at }) => Date.parse(at)))
  return printable(`${first!.name}${workers}${up}, last seen ${toAge(now - seen)} ago`)
}

function describePrices({ prices }: Status, now: number): string {
  const models = `${withThousands(prices.models)} models`
  // A gateway of an older version says only when the oldest was fetched.
  const { fetched = Object.fromEntries((prices.lists ?? []).map((list) => [list, prices.checked_at])) } =
    prices as Partial<Status["prices"]>
  const lists = Object.entries(fetched).map(([list, at]) =>
    at === null ? `${list} was never fetched` : `${list} was fetched ${toAge(now - Date.parse(at))} ago`,
  )
  return `${models}; ${lists.length === 0 ? "no list is fetched" : lists.join(", ")}`
}

function describeUnpriced({ requests, models }: Status["unpriced"]): string {
  if (requests === 0) return "none of the requests of the last 30 days"
  const noun = requests === 1 ? "request" : "requests"
  const of = models.length === 1 ? "1 model" : `${models.length} models`
  return `${withThousands(requests)} ${noun} of the last 30 days, to ${of}`
}

function describeBudgets(budgets: Status["budgets"]): string {
  if (budgets.length === 0) return "no limit is near its end"
  return budgets
    .map(({ name, value, used, amount, measure, share }) => {
      const show = (text: string) => (measure === "cost" ? toDollars(text) : withThousands(text))
      const whose = value === null ? "" : ` (${value || "none"})`
      return printable(`${name}${whose} ${toUsedPercent(share)}%: ${show(used)} of ${show(amount)}`)
    })
    .join("; ")
}

function describeBills(reconciliations: Status["reconciliations"]): readonly Line[] {
  if (reconciliations.length === 0)
    return [["Bills", "none was compared in the last 30 days (majordomo-gateway reconcile)"]]
  return reconciliations.map(({ provider, until, billed, recorded, is_within_tolerance: isWithin }, i) => {
    const verdict = isWithin ? "within what is tolerated" : "more than is tolerated"
    const fact = `${provider}: billed ${toDollars(billed)}, recorded ${toDollars(recorded)}, ${verdict}, before ${until}`
    return [i === 0 ? "Bills" : "", printable(fact)]
  })
}

function describeArchive({ days, newest, failed }: NonNullable<Status["archive"]>): string {
  const count = days === 1 ? "1 day" : `${withThousands(days)} days`
  return `${count} up to ${newest}${failed === 0 ? "" : `, ${withThousands(failed)} not verified`}`
}

/** Renders a duration in its largest two units: `3 d 4 h`, `5 min`, `12 s`. */
function toAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}
