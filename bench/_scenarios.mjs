/**
 * One kind of load. The CPU is divided by the number of what `per` names.
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {"request" | "chunk"} per
 * @property {number} [goal] maximum ratio of the gateway's CPU to that of the bare pass-through; absent: there is no goal
 * @property {boolean} [withLatency] whether latencies are measured at half of the gateway's maximum rate
 * @property {boolean} [withPeer] whether the peer is measured too. It answers streams with 500 on node 20
 * @property {number} connections
 * @property {number} [perSecond] offered rate; absent: the maximum
 * @property {Record<string, string>} headers
 * @property {object} body
 */

/** The content chunks of a stream. The ms between them let each arrive alone, as from a model. */
const PIECES = 100
const stream = JSON.stringify({ pieces: PIECES, pieceDelayMs: 4 })

const prompt = "Say in one sentence why a gateway should not cost more than the work that it passes on."
const ask = { model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }], temperature: 0 }

/** The fake provider's response to a request without its own script: about 0.5 KB. */
export const wholeAnswer = {
  text: "Because every millisecond that it takes is taken from each caller.",
  usage: { prompt_tokens: 22, completion_tokens: 17, total_tokens: 39 },
}

/** @type {readonly Scenario[]} */
export const scenarios = [
  {
    name: "JSON, 0.2 KB in, 0.5 KB out",
    per: "request",
    goal: 1.5,
    connections: 16,
    headers: {},
    body: ask,
    withLatency: true,
    withPeer: true,
  },
  {
    name: `SSE of ${PIECES} chunks, client asks for usage`,
    per: "chunk",
    goal: 1.3,
    connections: 48,
    headers: { "x-fake-provider": stream },
    body: { ...ask, stream: true, stream_options: { include_usage: true } },
  },
  {
    name: `SSE of ${PIECES} chunks, gateway asks for usage`,
    per: "chunk",
    goal: 1.3,
    connections: 48,
    headers: { "x-fake-provider": stream },
    body: { ...ask, stream: true },
  },
  {
    name: "JSON, prompt of 100 KB",
    per: "request",
    connections: 16,
    headers: {},
    body: { ...ask, messages: [{ role: "user", content: prompt.repeat(Math.ceil(100_000 / prompt.length)) }] },
  },
  {
    name: "JSON, prompt of 2 MB",
    per: "request",
    connections: 8,
    headers: {},
    body: { ...ask, messages: [{ role: "user", content: prompt.repeat(Math.ceil(2_000_000 / prompt.length)) }] },
  },
  {
    name: "JSON, response of 1 MB",
    per: "request",
    connections: 8,
    headers: { "x-fake-provider": JSON.stringify({ textBytes: 1_000_000 }) },
    body: ask,
  },
  {
    name: "JSON, gzip response of 5 KB",
    per: "request",
    connections: 16,
    headers: { "accept-encoding": "gzip", "x-fake-provider": JSON.stringify({ textBytes: 5000, encoding: "gzip" }) },
    body: ask,
  },
]
