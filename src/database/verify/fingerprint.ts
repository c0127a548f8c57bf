import { COUNTERS, type Counter } from "../counters.ts"
import { dayOf, digestOfDays, IN_RANGE, inDays, inHours, NAMES, NO_KEY } from "./sql.ts"

/**
 * Comparing every counter of every group costs 20 us per request. A fingerprint costs 2 us and finds the days on which
 * anything differs: each request and each row of a rollup becomes one number, and both must have the same sum.
 *
 * The number of a row is (weight × counter, summed over the counters) × (hash of the row's key in the rollup). A request is
 * part of one row of each rollup, so it is multiplied by the sum of their hashes. A wrong counter changes the sum, whatever
 * its table. That two errors cancel out by chance has a probability of about 1 in 2^47.
 */

/** Different numbers below 2^19, so that the sums of seven counters below 2^40 fit into a bigint. */
const weigh = (counter: Counter) => 1 + (((COUNTERS.indexOf(counter) + 1) * 2_654_435) % 524_287)
/** Larger counts are absurd, but a provider may report them. */
const MAX_FAST = 2 ** 40
/** Makes a hash positive, with 47 bits. */
const MASK = "& 140737488355327"

const isMoney = ({ name }: Counter) => name.endsWith("_cost")

/** The counters of one request, weighted. The fast form computes with bigint, which is exact below MAX_FAST. */
const ofRequest = () => {
  const flags = COUNTERS.flatMap((counter) => {
    if (!("count" in counter.of)) return []
    const { where } = counter.of
    return where === undefined ? `${weigh(counter)}` : `CASE WHEN ${where} THEN ${weigh(counter)} ELSE 0 END`
  })
  const sums = COUNTERS.flatMap((counter) => ("sum" in counter.of ? [{ counter, sum: counter.of.sum }] : []))
  const counts = sums.filter(({ counter }) => !isMoney(counter))
  const all = counts.map(({ sum }) => sum).join(", ")
  const money = sums.filter(({ counter }) => isMoney(counter))
  const add = (cast: string) =>
    [...flags, ...counts.map(({ sum, counter }) => `${sum}${cast} * ${weigh(counter)}`)].join(" + ")
  return `(CASE WHEN greatest(${all}) < ${MAX_FAST} AND least(${all}) > -${MAX_FAST} THEN (${add("")})::numeric ELSE ${add("::numeric")} END
    + ${money.map(({ sum, counter }) => `coalesce(${sum} * ${weigh(counter)}, 0)`).join(" + ")})`
}

/** The counters of one row of a rollup, weighted. */
const OF_ROLLUP = `(${COUNTERS.map((counter) => `${counter.name}::numeric * ${weigh(counter)}`).join(" + ")})`

const ofHour = (hour: string) => `timestamp_hash_extended(${hour}, 1)`
const ofModel = (seed: string) => `(hashtextextended(left(provider, 255) || '|' || left(model, 255), ${seed}) ${MASK})`
const ofKey = (key: string, seed: string) => `uuid_hash_extended(${key}, ${seed})`
/** `position` is that of the name among the names, from 1. */
const ofValue = (value: string, position: string) => `(hashtextextended(${value}, 100 + ${position}) ${MASK})`

const REQUEST_KEY = `coalesce(majordomo_api_key_id, ${NO_KEY})`
const REQUEST_HOUR = ofHour("date_trunc('hour', created_at AT TIME ZONE 'UTC')")
const ROLLUP_HOUR = ofHour("hour AT TIME ZONE 'UTC'")

/**
 * Returns a statement that says for each day from $1 to before $2 whether its rollups agree with its requests. The metadata
 * names that it compares are the array $3, of which it needs the number. A day with values that are counted as `(other)`
 * does not agree. Days that were pruned in the meantime are left out.
 */
export function toFingerprints(nameCount: number): string {
  const names = Array.from({ length: nameCount }, (_, i) => i + 1)
  const values = names.map((i) => `coalesce(${ofValue(`left(raw_metadata ->> ($3::text[])[${i}], 255)`, `${i}`)}, 0)`)
  const hashes = [
    ofModel(REQUEST_HOUR),
    `(${ofKey(REQUEST_KEY, REQUEST_HOUR)} ${MASK})`,
    ofModel(ofKey(REQUEST_KEY, "3")),
    ...values,
  ]
  return `
  WITH requests AS (
    SELECT ${dayOf("created_at")} AS starts, count(*) AS requests, count(*) FILTER (WHERE outcome = 'gap') AS gaps,
      sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap') AS dropped,
      sum((${hashes.join(" + ")}) * ${ofRequest()}) FILTER (WHERE outcome <> 'gap') AS fingerprint
    FROM llm_requests WHERE ${inHours("created_at")} GROUP BY 1
  ), rollups AS (
    SELECT starts, sum(fingerprint) AS fingerprint FROM (
      SELECT ${dayOf("hour")} AS starts, ${ofModel(ROLLUP_HOUR)} * ${OF_ROLLUP} AS fingerprint
        FROM llm_usage_hourly WHERE ${inHours("hour")}
      UNION ALL SELECT ${dayOf("hour")}, (${ofKey("majordomo_api_key_id", ROLLUP_HOUR)} ${MASK}) * ${OF_ROLLUP}
        FROM llm_usage_hourly_keys WHERE ${inHours("hour")}
      UNION ALL SELECT day, ${ofModel(ofKey("majordomo_api_key_id", "3"))} * ${OF_ROLLUP}
        FROM llm_usage_daily WHERE ${inDays("day")}
      UNION ALL SELECT day, ${ofValue("value", "array_position($3::text[], name)")} * ${OF_ROLLUP}
        FROM llm_usage_metadata WHERE ${inDays("day")} AND name = ANY ($3::text[])
    ) AS rows GROUP BY 1
  ), miscounted AS (
    SELECT DISTINCT day AS starts
    FROM (SELECT name, day, count(*) AS cells FROM llm_usage_metadata WHERE ${inDays("day")} AND name IN (${NAMES}) GROUP BY 1, 2) AS m
    FULL JOIN (SELECT * FROM llm_usage_metadata_values WHERE ${inDays("day")} AND name IN (${NAMES})) AS v USING (name, day)
    WHERE coalesce(cells, 0) <> coalesce(distinct_values, 0)
  )
  SELECT starts::text, coalesce(requests, 0)::float8 AS requests, coalesce(gaps, 0)::float8 AS gaps,
    coalesce(dropped, 0)::float8 AS dropped, digest,
    coalesce(r.fingerprint, 0) - coalesce(s.fingerprint, 0) = 0 AND m.starts IS NULL AS agrees
  FROM requests r FULL JOIN rollups s USING (starts) FULL JOIN (${digestOfDays(IN_RANGE)}) AS digests USING (starts)
  LEFT JOIN miscounted m USING (starts)
  WHERE starts >= coalesce((SELECT ${dayOf("pruned_before")} FROM majordomo_schema), '-infinity')`
}
