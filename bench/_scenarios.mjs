/**
 * One kind of load. The CPU is divided by the number of what `per` names.
 *
 * @typedef {object} Scenario
 * @property {string} name
 * @property {"request" | "piece"} per
 * @property {number} [pieces] the pieces of one stream
 * @property {number} [goal] maximum ratio of the gateway's CPU to that of the bare pass-through; absent: there is no goal
 * @property {boolean} [withLatency] whether latencies are measured at half of the gateway's maximum rate
 * @property {boolean} [withPeer] whether the peer is measured too. It answers streams with 500 on node 20
 * @property {boolean} [withNginx] whether nginx is measured too
 * @property {number} connections
 * @property {number} [perSecond] offered rate; absent: the maximum
 * @property {string} [path] absent: OpenAI's chat
 * @property {Record<string, string>} headers
 * @property {object} body
 */

/** The content pieces of a stream. */
const PIECES = 100
/** The ms between the pieces let each arrive alone, as from a model. */
const single = JSON.stringify({ pieces: PIECES, pieceDelayMs: 4 })
/** Ten pieces come in one write, each an event in an HTTP chunk of its own, as from a provider that collects them, or a fast one. */
const bursts = JSON.stringify({ pieces: PIECES, burst: 10 })

const prompt = "Say in one sentence why a gateway should not cost more than the work that it passes on."
const ask = { model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }], temperature: 0 }

/**
 * The APIs whose streams are measured. The gateway adds the question for usage to a chat that does not have it.
 *
 * @type {readonly { name: string, path: string, body: object }[]}
 */
const apis = [
  {
    name: "chat, client asks for usage",
    path: "/v1/chat/completions",
    body: { ...ask, stream: true, stream_options: { include_usage: true } },
  },
  { name: "chat, gateway asks for usage", path: "/v1/chat/completions", body: { ...ask, stream: true } },
  { name: "Responses", path: "/v1/responses", body: { model: "gpt-4o-mini", input: prompt, stream: true } },
  {
    name: "Messages",
    path: "/v1/messages",
    body: { model: "claude-sonnet-4-5", max_tokens: 1000, messages: ask.messages, stream: true },
  },
  {
    name: "Gemini",
    path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    body: { contents: [{ role: "user", parts: [{ text: prompt }] }] },
  },
]

/** @param {string} how @param {string} script @param {number} connections @returns {Scenario[]} */
function streams(how, script, connections) {
  return apis.map(({ name, path, body }, at) => ({
    name: `SSE of ${PIECES} pieces, ${how}, ${name}`,
    per: "piece",
    pieces: PIECES,
    goal: 1.5,
    connections,
    path,
    headers: { "x-fake-provider": script },
    body,
    withNginx: at === 0,
  }))
}

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
    withNginx: true,
  },
  ...streams("one by one", single, 48),
  ...streams("in bursts of ten", bursts, 16),
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
