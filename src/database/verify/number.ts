import { COUNTERS, type Counter } from "../counters.ts"
import { NO_KEY } from "./sql.ts"

/**
 * SQL that makes one number of a row of a rollup, and of what one request adds to the rollups:
 *
 *     (the counters of the row, each times its weight, added up) × (a hash of the row's key in the rollup)
 *
 * Such numbers can be added up. A rollup that agrees with its requests has the same sum as they have, and a wrong counter
 * changes the sum, whatever its table. That two errors cancel out by chance has a probability of about 1 in 2^47.
 */

/** Different numbers below 2^19, so that the sum of seventeen counters below 2^40 fits into a bigint. */
const weigh = (counter: Counter) => 1 + (((COUNTERS.indexOf(counter) + 1) * 2_654_435) % 524_287)
/** Larger counts are absurd, but a provider may report them. */
const MAX_FAST = 2 ** 40
/** Makes a hash positive, with 47 bits. */
const MASK = "& 140737488355327"

const isSum = ({ of }: Counter) => "sum" in of
const isMoney = (counter: Counter) => isSum(counter) && /_(?:cost|value)$/.test(counter.name)
const MONEY = COUNTERS.filter(isMoney)
const isHistogram = ({ of }: Counter) => "sum" in of && of.isHistogram === true
const HISTOGRAMS = COUNTERS.filter(isHistogram)
const TOKENS = COUNTERS.filter((counter) => isSum(counter) && !isMoney(counter) && !isHistogram(counter))
const COUNTS = COUNTERS.filter((counter) => !isSum(counter))

/** True if each number is from 0 to below MAX_FAST. One look at all their bits is cheaper than one at each number. */
const areSmall = (values: readonly string[]) => `(${values.join(" | ")}) BETWEEN 0 AND ${MAX_FAST - 1}`

/** Computes with bigint if that cannot overflow, because it costs a fifth of numeric. */
const addUp = (isFast: string, toSum: (cast: string) => string) =>
  `CASE WHEN ${isFast} THEN (${toSum("::bigint")})::numeric ELSE ${toSum("::numeric")} END`

const join = (counters: readonly Counter[], toTerm: (counter: Counter) => string) => counters.map(toTerm).join(" + ")
const toMoney = (toValue: (counter: Counter) => string) =>
  join(MONEY, (counter) => `coalesce(${toValue(counter)} * ${weigh(counter)}, 0)`)

const toSource = ({ name, of }: Counter) => {
  if (!("sum" in of)) return name
  return of.where === undefined ? of.sum : `CASE WHEN ${of.where} THEN ${of.sum} END`
}
const toFlag = (counter: Counter) =>
  "count" in counter.of && counter.of.where !== undefined
    ? `CASE WHEN ${counter.of.where} THEN ${weigh(counter)} ELSE 0 END`
    : `${weigh(counter)}`

/**
 * The weighted histograms of a row. They are multiplied apart from the other counters: a request has one digit that is not
 * 0, and adding a small number to it would make hundreds of digits.
 */
const toHistograms = (toValue: (counter: Counter) => string) =>
  join(HISTOGRAMS, (counter) => `${toValue(counter)} * ${weigh(counter)}`)

/** The weighted counters of one row of llm_requests. */
const OF_REQUEST = `(${addUp(
  areSmall(TOKENS.map(toSource)),
  (cast) => `${join(TOKENS, (counter) => `${toSource(counter)}${cast} * ${weigh(counter)}`)} + ${join(COUNTS, toFlag)}`,
)} + ${toMoney(toSource)})`

/** The weighted counters of one row of a rollup. */
const OF_ROLLUP = `(${addUp(
  `${areSmall(COUNTS.map(({ name }) => name))} AND greatest(${TOKENS.map(({ name }) => name).join(", ")}) < ${MAX_FAST}
    AND least(${TOKENS.map(({ name }) => name).join(", ")}) >= 0`,
  (cast) => join([...COUNTS, ...TOKENS], (counter) => `${counter.name}${cast} * ${weigh(counter)}`),
)} + ${toMoney(({ name }) => name)} + ${toHistograms(({ name }) => name)})`

/** `hour` is a timestamp of UTC. */
const hashHour = (hour: string) => `timestamp_hash_extended(${hour}, 1)`
const hashModel = (provider: string, model: string) => `hashtextextended(${model}, hashtextextended(${provider}, 2))`
const hashName = (name: string) => `hashtextextended(${name}, 3)`

/** `left` reads a text letter by letter, so it is only called for long ones. */
const truncate = (column: string) =>
  `CASE WHEN octet_length(${column}) > 255 THEN left(${column}, 255) ELSE ${column} END`

/** The columns of a row of llm_requests from which the hashes are made. They are computed once, in a query of their own. */
export const REQUEST_HASHES = `coalesce(majordomo_api_key_id, ${NO_KEY}) AS key,
  ${hashHour("date_bin('1 hour', created_at AT TIME ZONE 'UTC', '2000-01-01')")} AS hour_hash,
  ${hashModel(truncate("provider"), truncate("model"))} AS model_hash`

const hashOf = {
  hourly: (hour: string, model: string) => `(hashint8extended(${model}, ${hour}) ${MASK})`,
  hourlyKeys: (hour: string, key: string) => `(uuid_hash_extended(${key}, ${hour}) ${MASK})`,
  daily: (key: string, model: string) => `(uuid_hash_extended(${key}, ${model}) ${MASK})`,
  metadata: (name: string, value: string) => `(hashtextextended(${value}, ${hashName(name)}) ${MASK})`,
}

/**
 * Returns the sum of the numbers of requests with the columns REQUEST_HASHES: each request is part of one row of each
 * rollup. `names` are expressions for the metadata names that are compared.
 */
export function sumNumbers(names: readonly string[]): string {
  const values = names.map((name) => `coalesce(${hashOf.metadata(name, `left(raw_metadata ->> ${name}, 255)`)}, 0)`)
  const hash = [
    hashOf.hourly("hour_hash", "model_hash"),
    hashOf.hourlyKeys("hour_hash", "key"),
    hashOf.daily("key", "model_hash"),
    ...values,
  ].join(" + ")
  const sum = (value: string) => `coalesce(sum((${hash}) * ${value}) FILTER (WHERE outcome <> 'gap'), 0)`
  return `${sum(OF_REQUEST)} + ${sum(`(${toHistograms(toSource)})`)}`
}

const HOUR = hashHour("hour AT TIME ZONE 'UTC'")
const MODEL = hashModel("provider", "model")

/** The number of a row of each rollup. */
export const NUMBER_OF = {
  llm_usage_hourly: `${hashOf.hourly(HOUR, MODEL)} * ${OF_ROLLUP}`,
  llm_usage_hourly_keys: `${hashOf.hourlyKeys(HOUR, "majordomo_api_key_id")} * ${OF_ROLLUP}`,
  llm_usage_daily: `${hashOf.daily("majordomo_api_key_id", MODEL)} * ${OF_ROLLUP}`,
  llm_usage_metadata: `${hashOf.metadata("name", "value")} * ${OF_ROLLUP}`,
  llm_usage_metadata_weekly: `${hashOf.metadata("name", "value")} * ${OF_ROLLUP}`,
} as const
