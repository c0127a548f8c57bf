import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"
import type {
  RecordedGroup,
  RecordedKind,
  RecordedLine,
  RecordedRequests,
  RecordedSide,
} from "../core/reconciliation.ts"
import { createStatement, IS_SUBSCRIBED, type Statement, TIME } from "./_sql.ts"
import { CAN_BE_ADDED, toCardSums, WHOLE_PRICE } from "./card-sums.ts"
import { isToken, KIND, KIND_OF_PRICED, PLAIN_BUCKETS, toBucket } from "./recorded-kinds.ts"

export interface RecordedQuestion {
  readonly provider: string
  /** The first UTC day, such as `2026-11-01`. */
  readonly since: string
  /** The UTC day after the last one. */
  readonly until: string
}

/** Separates the values of a group. The model is the last value, because a client can choose it. */
const SEPARATOR = "\u001f"
const day = (expression: string) => `(${expression} AT TIME ZONE 'UTC')::date`

const OUTCOME = [day(TIME), day("r.requested_at"), KIND, "r.total_cost IS NOT NULL"]
// A credential without an alias is named by the beginning of its hash.
const HASH =
  "coalesce(r.provider_api_key_hash, (SELECT h.hash FROM llm_credential_hashes h WHERE h.id = r.provider_api_key_hash_id))"
const ORIGIN = [`coalesce(r.provider_api_key_alias, left(${HASH}, 12), '')`, "r.model"]
const FACTORS = ["coalesce((r.price -> 'factors')::text, '')", "coalesce(r.price ->> 'tier', '')"]
const LINE = ["bucket", "rate", "source", "date", "model"]

/**
 * Builds the statement that adds up what was recorded, in groups of requests that are alike, and of lines of their price
 * certificates that are alike.
 *
 * The values of a group are one text. With two expressions to group by, PostgreSQL expects few groups and counts them in
 * memory. With twenty it would expect millions, and sort every line of every request.
 */
export function askRecorded({ provider, since, until }: RecordedQuestion): Statement {
  return createStatement((bind) => {
    const from = `${bind(since)}::date::timestamp AT TIME ZONE 'UTC'`
    const to = `${bind(until)}::date::timestamp AT TIME ZONE 'UTC'`
    const where = `r.provider = ${bind(provider)} AND ${TIME} >= ${from} AND ${TIME} < ${to} + interval '1 day' AND r.requested_at < ${to}
    AND r.outcome NOT IN ('gap', 'rejected') AND NOT ${IS_SUBSCRIBED} AND r.source IS DISTINCT FROM 'import'`
    return `SELECT r.of, l.of AS line, sum(l.quantity)::text AS quantity, sum(l.amount)::text AS amount,
  coalesce(sum(r.requests) FILTER (WHERE l.at IS NULL OR l.at = 1), 0)::text AS requests,
  (sum(r.total_cost) FILTER (WHERE l.at IS NULL OR l.at = 1))::text AS total,
  ${Object.keys(PLAIN_BUCKETS).map((name) => `(sum(r.${name}) FILTER (WHERE l.at IS NULL))::text AS ${name}`)}
FROM (${toWhole(where)} UNION ALL ${toSums(where)}) r LEFT JOIN LATERAL (
  SELECT ${toText(LINE.map((name) => `coalesce(${name}, '')`))} AS of, quantity, amount, at
  FROM ROWS FROM (jsonb_to_recordset(r.lines) AS (${LINE.map((name) => `${name} text`)}, quantity numeric, amount numeric))
    WITH ORDINALITY AS lines (${LINE}, quantity, amount, at)
) l ON true
GROUP BY r.of, l.of`
  })
}

const toText = (expressions: readonly string[]) => `concat_ws('${SEPARATOR}', ${expressions.join(", ")})`

/** The columns of requests whose certificates have no lines. */
const PLAIN = Object.entries(PLAIN_BUCKETS).map(([name, { sql }]) => `${sql} AS ${name}`)

const IS_FREE = "r.cost_status = 'free' AND r.usage_source = 'none' AND r.status_code < 500"

/** Returns the requests that store their certificates themselves. OFFSET 0: each certificate is put together once. */
function toWhole(where: string): string {
  const columns =
    "id, provider_api_key_alias, model, created_at, requested_at, total_cost, cost_status, usage_source, source, outcome, status_code"
  const tokens = "input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens"
  return `SELECT ${toText([...OUTCOME, ...FACTORS, ...ORIGIN])} AS of, r.price -> 'lines' AS lines, 1::numeric AS requests, r.total_cost,
    ${PLAIN}
  FROM (SELECT ${columns}, ${tokens}, provider_api_key_hash, provider_api_key_hash_id, ${WHOLE_PRICE} AS price
    FROM llm_requests r WHERE ${where} AND NOT ${CAN_BE_ADDED} OFFSET 0) r
  WHERE NOT (${IS_FREE} AND ${KIND} <> 'pending')`
}

/** Returns the other requests, added up by card. */
function toSums(where: string): string {
  // A request with a card has lines, so its kind does not depend on the rest of its certificate.
  const outcome = OUTCOME.map((each) => (each === KIND ? KIND_OF_PRICED : each))
  const sums = toCardSums({ outcome: toText(outcome), origin: toText(ORIGIN) }, `${where} AND NOT (${IS_FREE})`)
  return `SELECT ${toText(["r.outcome", ...FACTORS, "r.origin"])}, r.price -> 'lines', r.requests, r.total_cost,
    ${PLAIN.map(() => "NULL::bigint")}
  FROM (${sums}) r`
}

type Row = Readonly<Record<string, unknown>>

/** Converts the rows of the statement from `askRecorded` to the recorded side. */
export function readRecorded(rows: readonly Row[], { provider }: Pick<RecordedQuestion, "provider">): RecordedSide {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const of = String(row["of"])
    const found = groups.get(of)
    if (found === undefined) groups.set(of, [row])
    else found.push(row)
  }
  const lines: RecordedLine[] = []
  const requests = new Map<string, RecordedRequests>()
  for (const [of, rows] of groups) {
    const { head, isPriced, factors } = readGroup(of)
    lines.push(...toLines(rows, { head, isPriced, factors }))
    const id = Object.values(head).join(SEPARATOR)
    const count = rows.reduce((sum, row) => sum + Number(row["requests"]), requests.get(id)?.requests ?? 0)
    requests.set(id, { ...head, requests: count })
  }
  return { provider, lines, requests: [...requests.values()] }
}

interface Group {
  readonly head: RecordedGroup
  readonly isPriced: boolean
  readonly factors: readonly Factor[]
}

function readGroup(of: string): Group {
  const [day = "", began = "", kind = "", priced, factors = "", tier, credential, ...model] = of.split(SEPARATOR)
  return {
    head: {
      day,
      began,
      model: model.join(SEPARATOR),
      tier: tier || undefined,
      credential: credential || undefined,
      kind: kind as RecordedKind,
    },
    isPriced: priced === "t",
    factors: factors === "" ? [] : JSON.parse(factors),
  }
}

function toLines(rows: readonly Row[], { head, isPriced, factors }: Group): RecordedLine[] {
  const lines: RecordedLine[] = []
  /** The catalog's names of the model that answered, which is that of the first line of a certificate. */
  const main = new Set(
    rows.filter((row) => row["requests"] !== "0").map((row) => String(row["line"]).split(SEPARATOR)[4]),
  )
  let rest = 0n
  for (const row of rows) {
    rest += decimalOf(row["total"]) - decimalOf(row["amount"])
    if (row["line"] === null) {
      lines.push(...toPlainLines(row, head, isPriced))
      continue
    }
    const [name = "", rate = "", source, date, model = ""] = String(row["line"]).split(SEPARATOR)
    lines.push({
      ...head,
      // A model that helped, such as an advisor, has the catalog's name only.
      model: main.has(model) ? head.model : model,
      bucket: toBucket(name),
      quantity: formatDecimal(decimalOf(row["quantity"])),
      per: isToken(name) ? "million" : "one",
      ...multiplied(rate, name, factors),
      cost: isPriced ? formatDecimal(decimalOf(row["amount"])) : undefined,
      source: source || undefined,
      date: date || undefined,
    })
  }
  // The cost that the provider itself reported differs from the sum of the lines.
  if (isPriced && rest !== 0n) lines.push(toRest(head, formatDecimal(rest)))
  return lines
}

/** Returns the lines of requests without lines in their certificate: they are free, or have no price. */
function toPlainLines(row: Row, head: RecordedGroup, isPriced: boolean): RecordedLine[] {
  const lines: RecordedLine[] = []
  for (const [name, { bucket }] of Object.entries(PLAIN_BUCKETS)) {
    const quantity = decimalOf(row[name])
    if (quantity === 0n) continue
    const price = { rate: isPriced ? "0" : undefined, cost: isPriced ? "0" : undefined }
    lines.push({ ...toRest(head, "0"), bucket, quantity: formatDecimal(quantity), ...price })
  }
  return lines
}

function toRest(head: RecordedGroup, cost: string): RecordedLine {
  return {
    ...head,
    bucket: "all",
    quantity: "0",
    per: "million",
    rate: undefined,
    discount: "1",
    cost,
    source: undefined,
    date: undefined,
  }
}

interface Factor {
  readonly value: string
  readonly except?: readonly string[]
  /** Only a discount multiplies fees. */
  readonly fees?: true
}

/** Returns the rate with all multipliers of a line that are not discounts, and the product of its discounts. */
export function multiplied(rate: string, bucket: string, factors: readonly Factor[]) {
  let product = parseDecimal(rate)
  let discount = parseDecimal("1")
  for (const { value, except, fees } of factors) {
    if (except?.includes(bucket)) continue
    if (fees) discount = multiply(discount, parseDecimal(value))
    else if (isToken(bucket)) product = multiply(product, parseDecimal(value))
  }
  return { rate: formatDecimal(product), discount: formatDecimal(discount) }
}

function decimalOf(value: unknown) {
  return value === null || value === undefined ? 0n : parseDecimal(String(value))
}
