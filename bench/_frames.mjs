import { createHash } from "node:crypto"

/** Returns a text message in one frame. A client's frames are masked. @param {string} text @param {boolean} [isFromClient] */
export function toFrame(text, isFromClient = false) {
  const payload = Buffer.from(text)
  const size = payload.length < 126 ? 0 : 2
  const head = Buffer.alloc(2 + size)
  head[0] = 0x81
  head[1] = (size === 0 ? payload.length : 126) | (isFromClient ? 0x80 : 0)
  if (size === 2) head.writeUInt16BE(payload.length, 2)
  if (!isFromClient) return Buffer.concat([head, payload])
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ /** @type {number} */ (mask[at % 4]))])
}

/** Returns the Sec-WebSocket-Accept of a Sec-WebSocket-Key (RFC 6455). @param {string} key */
export function toAccept(key) {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
}

/** The request that begins a turn, as the client sends it. */
export const ASK = toFrame(
  JSON.stringify({ type: "response.create", model: "gpt-4o-mini", input: "Tell me a story of a gateway." }),
  true,
)

/** The messages of one turn with so many pieces of text, in the form of OpenAI's Responses API. @param {number} pieces */
export function toTurn(pieces) {
  const id = "resp_0123456789abcdef0123456789abcdef"
  const response = { id, object: "response", status: "in_progress", model: "gpt-4o-mini-2024-07-18", output: [] }
  const usage = { input_tokens: 17, output_tokens: pieces, total_tokens: 17 + pieces }
  const deltas = Array.from({ length: pieces }, (_, at) => ({
    type: "response.output_text.delta",
    item_id: "msg_0123456789abcdef0123456789abcdef",
    output_index: 0,
    content_index: 0,
    delta: " word",
    sequence_number: at + 1,
  }))
  return [
    { type: "response.created", sequence_number: 0, response },
    ...deltas,
    {
      type: "response.completed",
      sequence_number: pieces + 1,
      response: { ...response, status: "completed", usage },
    },
  ].map((message) => toFrame(JSON.stringify(message)))
}
