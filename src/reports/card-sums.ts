/** The most values of a card that are added up. Certificates with more are put together request by request. */
const MAX_VALUES = 12

/** The condition for a request whose certificate can be added to those of other requests with the same card. */
export const CAN_BE_ADDED = `(r.card IS NOT NULL AND cardinality(string_to_array(r.card_values, ',')) <= ${MAX_VALUES})`

/** The whole certificate of a row `r` of llm_requests. */
export const WHOLE_PRICE = `CASE WHEN r.card IS NULL THEN r.price
    ELSE (SELECT f.price FROM llm_requests_full f WHERE f.id = r.id) END`

/**
 * Returns one certificate (`price`) for all requests of a group that share a card: with their quantities and amounts added
 * up. Each gap of a card is a quantity, an amount, or a quantity that is multiplied by a price, so the sum of the values
 * fills it with the sum of all certificates. `requests` and `total_cost` are those of the group.
 * @param columns the expressions to group by, as text, by their names
 */
export function toCardSums(columns: Readonly<Record<string, string>>, where: string): string {
  const names = Object.keys(columns).map((name) => `r.${name}`)
  const groups = Object.entries(columns).map(([name, expression]) => `${expression} AS ${name}`)
  const sums = Array.from({ length: MAX_VALUES }, (_, i) => `sum(r.v[${i + 1}])`)
  const added = `SELECT ${names}, r.card, count(*) AS requests, sum(r.total_cost) AS total_cost,
      array_to_string(ARRAY[${sums}], ',') AS sums
    FROM (SELECT ${groups}, r.card, r.total_cost, string_to_array(r.card_values, ',')::numeric[] AS v
      FROM llm_requests r WHERE ${where} AND ${CAN_BE_ADDED} OFFSET 0) r
    GROUP BY ${names}, r.card`
  return `SELECT g.*, majordomo_fill(c.price, g.sums, c.quantities, c.units) AS price
    FROM (${added}) g LEFT JOIN llm_cards c ON c.id = g.card OFFSET 0`
}
