/**
 * One kind of work. `per` is what the CPU is divided by.
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {"request" | "piece"} per
 * @property {number} [goal] CPU of the gateway by CPU of the bare pass-through, at most; absent: the contract has none
 * @property {boolean} [withLatency] measured again at half of the gateway's load
 * @property {boolean} [withPeer] the peer does the same work. Not streams: on node 20 it answers them with 500
 * @property {number} connections
 * @property {number} [perSecond] offered load; absent: as much as it takes
 * @property {Record<string, string>} headers
 * @property {object} body
 */

/** Content pieces of a stream, and milliseconds between them: each must arrive alone, as it does from a model. */
const PIECES = 100
const stream = JSON.stringify({ pieces: PIECES, pieceDelayMs: 4 })

const prompt = "Say in one sentence why a gateway should not cost more than the work that it passes on."
const ask = { model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }], temperature: 0 }

/** What the fake provider answers to a request without a script of its own: about 0.5 KB. */
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
    name: `SSE of ${PIECES} pieces, client asks for usage`,
    per: "piece",
    goal: 1.3,
    connections: 48,
    headers: { "x-fake-provider": stream },
    body: { ...ask, stream: true, stream_options: { include_usage: true } },
  },
  {
    name: `SSE of ${PIECES} pieces, gateway asks for usage`,
    per: "piece",
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
    name: "JSON, answer of 1 MB",
    per: "request",
    connections: 8,
    headers: { "x-fake-provider": JSON.stringify({ textBytes: 1_000_000 }) },
    body: ask,
  },
  {
    name: "JSON, gzip answer of 5 KB",
    per: "request",
    connections: 16,
    headers: { "accept-encoding": "gzip", "x-fake-provider": JSON.stringify({ textBytes: 5000, encoding: "gzip" }) },
    body: ask,
  },
]
