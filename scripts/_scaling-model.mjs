/**
 * The cost of a request, as measured (BENCHMARKS.md), and the prices of machines, as lists of large clouds in 2026. The
 * model of docs/scaling.md is made from these numbers, so whoever measures others on their own machines changes them here.
 */
export const INPUTS = {
  /** The share of requests that are streams, and the pieces of one. */
  streams: 0.3,
  pieces: 100,
  /** CPU of a gateway in microseconds, on the machine of BENCHMARKS.md: of a JSON request with its row, and of a piece of a stream. */
  jsonMicros: 90,
  pieceMicros: 17,
  /** The mean duration of a request, in seconds. */
  seconds: 5,
  /** The most of a core that a gateway or a database should use, so that peaks and the loss of a gateway are no problem. */
  utilization: 0.5,
  /** Memory of a gateway, and of an open request, in bytes. */
  gatewayBytes: 200e6,
  requestBytes: 38e3,
  /** Connections of a gateway to its database (`storage.postgres.max_conns: 5`, and two that listen). */
  connections: 7,
  /** CPU of PostgreSQL for a row with all rollups, in microseconds. */
  rowMicros: 130,
  /** Rows that one PostgreSQL takes per second from all gateways together, because one batch at a time changes the rollups. */
  rowsPerDatabase: 8_000,
  /** A row in the database with its indexes, and in the archive, in bytes; and how many days rows stay in the database. */
  rowBytes: 450,
  archiveBytes: 77,
  daysKept: 30,
  /** USD for an hour of a core with 2 GB, of a core of a managed PostgreSQL with 8 GB, and for a GB-month of disk and of S3. */
  coreHour: 0.04,
  databaseCoreHour: 0.12,
  diskGbMonth: 0.12,
  objectGbMonth: 0.023,
}

const HOURS_PER_MONTH = 730

/** Computes what a rate needs. @param {number} rate requests per second @param {typeof INPUTS} inputs */
export function plan(rate, inputs = INPUTS) {
  const micros = inputs.jsonMicros + inputs.streams * inputs.pieces * inputs.pieceMicros
  const busy = (rate * micros) / 1e6
  // One more than needed, so that one can be lost or replaced.
  const gateways = Math.ceil(busy / inputs.utilization) + 1
  const running = rate * inputs.seconds
  const databases = Math.ceil(rate / inputs.rowsPerDatabase)
  const databaseCores = Math.max(1, Math.ceil((rate * inputs.rowMicros) / 1e6 / inputs.utilization))
  const rowsPerMonth = rate * 3600 * HOURS_PER_MONTH
  const diskGb = (rate * 86_400 * inputs.daysKept * inputs.rowBytes) / 1e9
  const archiveGbPerMonth = (rowsPerMonth * inputs.archiveBytes) / 1e9
  const dollars =
    HOURS_PER_MONTH * (gateways * inputs.coreHour + databaseCores * inputs.databaseCoreHour) +
    diskGb * inputs.diskGbMonth +
    // A year of the archive.
    12 * archiveGbPerMonth * inputs.objectGbMonth
  return {
    rate,
    gateways,
    running,
    memoryMb: (inputs.gatewayBytes + (running / gateways) * inputs.requestBytes) / 1e6,
    databases,
    connections: gateways * inputs.connections,
    databaseCores,
    diskGb,
    archiveGbPerMonth,
    dollarsPerMillion: (dollars / rowsPerMonth) * 1e6,
  }
}

/** Formats the table of docs/scaling.md. */
export function toScalingTable(inputs = INPUTS) {
  const plans = [10, 100, 1_000, 10_000, 100_000].map((rate) => plan(rate, inputs))
  const rows = [
    ["requests per second", ...plans.map(({ rate }) => whole(rate))],
    ["gateways (processes of one core)", ...plans.map(({ gateways }) => whole(gateways))],
    ["requests running at once", ...plans.map(({ running }) => whole(running))],
    ["memory of a gateway", ...plans.map(({ memoryMb }) => `${whole(memoryMb)} MB`)],
    ["PostgreSQL servers", ...plans.map(({ databases }) => whole(databases))],
    ["connections to them", ...plans.map(({ connections }) => whole(connections))],
    ["cores of PostgreSQL", ...plans.map(({ databaseCores }) => whole(databaseCores))],
    [`disk for ${inputs.daysKept} days of rows`, ...plans.map(({ diskGb }) => size(diskGb))],
    ["archive, per month", ...plans.map(({ archiveGbPerMonth }) => size(archiveGbPerMonth))],
    ["USD per million requests", ...plans.map(({ dollarsPerMillion }) => dollarsPerMillion.toFixed(2))],
  ]
  const [head = [], ...body] = rows
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"))
  return [head, rule, ...body].map((row) => `| ${row.join(" | ")} |`).join("\n")
}

/** @param {number} value */
const whole = (value) => Math.round(value).toLocaleString("en-US")

/** @param {number} gb */
const size = (gb) => (gb < 1000 ? `${whole(gb)} GB` : `${(gb / 1000).toFixed(1)} TB`)
