import { once } from "node:events"
import type WebSocket from "ws"
import type { Cost, PriceQuery } from "../../../src/core/cost.ts"
import { toLimitExceeded } from "../../../src/core/limit-error.ts"

/** The error of a limit that is used up. */
export const LIMIT_USED_UP = toLimitExceeded({
  ...{ limit: "team", measure: "cost", window: "month", value: "", amount: "50", used: "49.9", reserved: "0" },
  ...{ wanted: "0.2", resetsAt: "2026-12-01T00:00:00Z", reason: "used_up", retryAfterSeconds: 3600 },
} as const)

/** A priced cost, except where the reading says that nothing is billed. */
export function price({ reading, failed, isUnanswered }: PriceQuery): Cost {
  const isFree = reading.free || (failed === true && isUnanswered !== true && reading.source === "none")
  if (isFree) return { status: "free", inputCost: "0", outputCost: "0", totalCost: "0", price: undefined }
  if (reading.source === "none") {
    return { status: "unpriced", inputCost: undefined, outputCost: undefined, totalCost: undefined, price: undefined }
  }
  const status = reading.source === "estimated" ? "estimated" : "exact"
  return { status, inputCost: "0.0001", outputCost: "0.0002", totalCost: "0.0003", price: undefined }
}

/** A client's message that asks for a response. */
export function create(members: object = {}): string {
  return JSON.stringify({ type: "response.create", model: "gpt-5-mini", input: "Say hello.", ...members })
}

const MODEL = "gpt-5-mini-2025-08-07"

interface Shape {
  readonly id?: string
  readonly stream?: string
  readonly text?: string
  readonly input?: number
  readonly output?: number
}

/** The provider's messages of one response, in their order. */
export function begun({ id = "resp_1", stream, text = "Hello there, how are you?" }: Shape = {}): string[] {
  const response = { id, model: MODEL, status: "in_progress" }
  const lane = stream === undefined ? {} : { stream_id: stream }
  return [
    JSON.stringify({ type: "response.created", response, sequence_number: 0, ...lane }),
    JSON.stringify({ type: "response.output_text.delta", delta: text, sequence_number: 1, ...lane }),
  ]
}

export function completed({ id = "resp_1", stream, input = 1000, output = 200 }: Shape = {}): string {
  const usage = { input_tokens: input, output_tokens: output, total_tokens: input + output }
  const response = { id, model: MODEL, status: "completed", usage, output: [] }
  const lane = stream === undefined ? {} : { stream_id: stream }
  return JSON.stringify({ type: "response.completed", response, sequence_number: 2, ...lane })
}

/** Answers the next message of the client with a whole response. */
export async function answerNext(far: WebSocket, shape: Shape = {}): Promise<void> {
  await nextMessage(far)
  for (const message of [...begun(shape), completed(shape)]) far.send(message)
}

const waiting = new WeakMap<WebSocket, { readonly queue: string[]; readonly takers: ((text: string) => void)[] }>()

/** Starts to collect the messages that a socket receives. Must be called before they come. */
export function collect(socket: WebSocket): WebSocket {
  const state = { queue: [] as string[], takers: [] as ((text: string) => void)[] }
  waiting.set(socket, state)
  socket.on("message", (data: Buffer) => {
    const take = state.takers.shift()
    if (take) take(data.toString())
    else state.queue.push(data.toString())
  })
  return socket
}

/** Resolves with the oldest message that no earlier call returned. */
export function nextMessage(socket: WebSocket): Promise<string> {
  const state = waiting.get(socket)!
  const text = state.queue.shift()
  return text === undefined ? new Promise((resolve) => state.takers.push(resolve)) : Promise.resolve(text)
}

/** Resolves with the type of each message up to the one with this type. */
export async function typesUntil(socket: WebSocket, last: string): Promise<string[]> {
  const types: string[] = []
  while (types.at(-1) !== last) types.push(JSON.parse(await nextMessage(socket)).type)
  return types
}

/** Resolves with the code and the reason of a socket's close. */
export async function closed(socket: WebSocket): Promise<readonly [code: number, reason: string]> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer]
  return [code, reason.toString()]
}
