/**
 * Converts measurements to lines of the table.
 *
 * @typedef {import("./_report.mjs").Line} Line
 * @typedef {import("./_scenarios.mjs").Scenario} Scenario
 * @typedef {{ cpuUs: number, perSecond: number, p50Ms: number, p99Ms: number }} Measured
 */

const MB = 2 ** 20
const us = (/** @type {number} */ value) => `${value.toFixed(1)} us`
const ms = (/** @type {number} */ value, digits = 0) => `${value.toFixed(digits)} ms`
const mb = (/** @type {number} */ bytes) => `${(bytes / MB).toFixed(1)} MB`

/**
 * @param {Pick<Scenario, "name" | "per" | "goal">} scenario @param {Measured} bare @param {Measured} gateway
 * @param {number} [perSecond] of both
 * @returns {Line}
 */
export function cpu({ name, per, goal }, bare, gateway, perSecond) {
  const ratio = gateway.cpuUs / bare.cpuUs
  return {
    what: `CPU per ${per}: ${name}${perSecond === undefined ? "" : `; both at ${perSecond.toFixed(0)}/s`}`,
    against: us(bare.cpuUs),
    gateway: us(gateway.cpuUs),
    ratio: ratio.toFixed(2),
    goal: goal === undefined ? "" : `<= ${goal}`,
    met: goal === undefined ? undefined : ratio <= goal,
  }
}

/** @param {Pick<Scenario, "name" | "per">} scenario @param {Measured} bare @param {Measured} gateway @returns {Line} */
export function cpuAtLimit({ name, per }, bare, gateway) {
  const limits = `${bare.perSecond.toFixed(0)}/s and ${gateway.perSecond.toFixed(0)}/s`
  return { ...cpu({ name, per }, bare, gateway), what: `the same, each at its maximum: ${limits}` }
}

/** @param {number} perSecond @param {Measured} bare @param {Measured} gateway @returns {Line[]} */
export function latency(perSecond, bare, gateway) {
  const added = gateway.p50Ms - bare.p50Ms
  const ratio = gateway.p99Ms / bare.p99Ms
  const at = `at ${Math.round(perSecond)} requests/s`
  return [
    {
      what: `latency p50, ${at}`,
      against: ms(bare.p50Ms, 2),
      gateway: ms(gateway.p50Ms, 2),
      ratio: `+${added.toFixed(2)} ms`,
      goal: "<= +0.5 ms",
      met: added <= 0.5,
    },
    {
      what: `latency p99, ${at}`,
      against: ms(bare.p99Ms, 2),
      gateway: ms(gateway.p99Ms, 2),
      ratio: ratio.toFixed(2),
      goal: "<= 1.3",
      met: ratio <= 1.3,
    },
  ]
}

/** @param {Scenario} scenario @param {string} name @param {Measured} nginx @param {Measured} gateway @returns {Line} */
export function nginx({ name: work, per }, name, nginx, gateway) {
  return { ...cpu({ name: work, per }, nginx, gateway), what: `${name} with one worker, CPU per ${per}: ${work}` }
}

/** @param {Scenario} scenario @param {string} name @param {Measured} peer @param {Measured} gateway @returns {Line[]} */
export function peer({ name: work, per }, name, peer, gateway) {
  const cost = peer.cpuUs / gateway.cpuUs
  const speed = gateway.perSecond / peer.perSecond
  const isRequest = per === "request"
  return [
    {
      what: `${name}, CPU per ${per}: ${work}`,
      against: us(peer.cpuUs),
      gateway: us(gateway.cpuUs),
      ratio: `1/${cost.toFixed(1)}`,
      goal: isRequest ? "<= 1/10" : "",
      met: isRequest ? cost >= 10 : undefined,
    },
    ...(isRequest
      ? [
          {
            what: `${name}, requests per second: ${work}`,
            against: peer.perSecond.toFixed(0),
            gateway: gateway.perSecond.toFixed(0),
            ratio: `${speed.toFixed(1)} x`,
            goal: ">= 10 x",
            met: speed >= 10,
          },
        ]
      : []),
  ]
}

/** @param {Scenario} scenario @param {Measured} off @param {Measured} on @returns {Line} */
export function journal({ name }, off, on) {
  return {
    what: `journal off and on, CPU per request: ${name}`,
    against: us(off.cpuUs),
    gateway: us(on.cpuUs),
    ratio: (on.cpuUs / off.cpuUs).toFixed(2),
    goal: "",
    met: undefined,
  }
}

/** The number of cores at which two workers do not share theirs with the load, the provider and the database. */
const CORES_FOR_WORKERS = 6

/** @param {Scenario} scenario @param {Measured} one @param {Measured} two @param {number} cores @returns {Line[]} */
export function workers({ name }, one, two, cores) {
  const speed = two.perSecond / one.perSecond
  return [
    {
      what: `two workers against one, requests per second${cores < CORES_FOR_WORKERS ? ` (${cores} cores for everything: inconclusive)` : ""}: ${name}`,
      against: one.perSecond.toFixed(0),
      gateway: two.perSecond.toFixed(0),
      ratio: `${speed.toFixed(2)} x`,
      goal: ">= 1.7 x",
      met: cores < CORES_FOR_WORKERS ? undefined : speed >= 1.7,
    },
    {
      what: "two workers against one, CPU per request",
      against: us(one.cpuUs),
      gateway: us(two.cpuUs),
      ratio: (two.cpuUs / one.cpuUs).toFixed(2),
      goal: "",
      met: undefined,
    },
  ]
}

/** @param {{ written: number, requests: number }} counted @returns {Line} */
export function rows({ written, requests }) {
  return {
    what: "rows written, of requests answered",
    against: String(requests),
    gateway: String(written),
    ratio: (written / requests).toFixed(4),
    goal: "1",
    met: written === requests,
  }
}

/** @param {{ requests: number, afterShort: number, afterLong: number }} memory @returns {Line} */
export function memory({ requests, afterShort, afterLong }) {
  const ratio = afterLong / afterShort
  return {
    what: `memory after ${requests} requests, against the first round`,
    against: mb(afterShort),
    gateway: mb(afterLong),
    ratio: ratio.toFixed(2),
    goal: "flat (<= 1.2)",
    met: ratio <= 1.2,
  }
}

/**
 * @param {{ streams: number, complete: number, before: number, highest: number, perStream: number }} found
 * @returns {Line[]}
 */
export function streams({ streams, complete, before, highest, perStream }) {
  return [
    {
      what: `${streams} streams open at once: complete`,
      against: String(streams),
      gateway: String(complete),
      ratio: "",
      goal: "all",
      met: complete === streams,
    },
    {
      what: `${streams} streams open at once: memory per stream`,
      against: "",
      gateway: `${(perStream / 1024).toFixed(1)} KB`,
      ratio: "",
      goal: "<= 40 KB",
      met: perStream <= 40 * 1024,
    },
    {
      what: `${streams} streams open at once: total memory, against before`,
      against: mb(before),
      gateway: mb(highest),
      ratio: "",
      goal: "<= 400 MB",
      met: highest <= 400 * MB,
    },
  ]
}

/** @param {{ node: number, help: number, postgres: number, embedded: number, embeddedFirst: number }} found @returns {Line[]} */
export function starting({ node, help, postgres, embedded, embeddedFirst }) {
  const none = { against: "", ratio: "" }
  return [
    {
      what: "--help, against node -e 0",
      against: ms(node),
      gateway: ms(help),
      ratio: `+${ms(help - node)}`,
      goal: "<= +80 ms",
      met: help - node <= 80,
    },
    { ...none, what: "serve until ready, PostgreSQL", gateway: ms(postgres), goal: "<= 500 ms", met: postgres <= 500 },
    {
      ...none,
      what: "serve until ready, embedded, second start",
      gateway: ms(embedded),
      goal: "<= 1500 ms",
      met: embedded <= 1500,
    },
    {
      ...none,
      what: "serve until ready, embedded, first start",
      gateway: ms(embeddedFirst),
      goal: "<= 2000 ms",
      met: embeddedFirst <= 2000,
    },
  ]
}

/** @param {{ packages: number, bytes: number, downloadBytes: number }} found @returns {Line} */
export function installed({ packages, bytes, downloadBytes }) {
  return {
    what: `installed: ${packages} package, download of ${mb(downloadBytes)}`,
    against: "",
    gateway: mb(bytes),
    ratio: "",
    goal: "small",
    met: undefined,
  }
}
