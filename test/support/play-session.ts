import type { Cost } from "../../src/core/cost.ts"
import type { Reading } from "../../src/core/usage.ts"
import type { PriceBook } from "../../src/pricing/price-book.ts"
import type { Dialect, ProviderRequest } from "../../src/providers/_dialect.ts"
import type { Meter } from "../../src/providers/_meter.ts"
import type { TurnBegin } from "../../src/providers/_sockets.ts"

/** One message of a session: who sent it, and its JSON. */
export type Message = readonly ["client" | "provider", unknown]

/** What the gateway knows of one turn of a session. */
export interface PlayedTurn {
  readonly turn: string
  readonly model: string | undefined
  readonly body: string
  /** The number of the provider's messages in it, and the first with output, counted from 1. */
  readonly messages: number
  readonly firstOutput: number | undefined
  /** undefined: the session ended before the turn did. */
  readonly statusCode: number | undefined
  readonly error: string | undefined
  readonly reading: Reading
}

interface Running {
  readonly begin: TurnBegin
  readonly request: ProviderRequest
  readonly meter: Meter
  messages: number
  firstOutput: number | undefined
}

/** Plays the messages of one session through a dialect's reader and meters, as the gateway does. */
export function playSession(
  dialect: Dialect,
  handshake: { readonly path: string; readonly query?: string; readonly host?: string; readonly provider?: string },
  messages: readonly Message[],
): PlayedTurn[] {
  const opening: ProviderRequest = {
    provider: handshake.provider ?? "openai",
    method: "GET",
    path: handshake.path,
    query: handshake.query ?? "",
    headers: {},
    body: Buffer.alloc(0),
    host: handshake.host ?? "api.openai.com",
  }
  const reader = dialect.sockets!.createReader(opening)
  const running = new Map<string, Running>()
  const ended: PlayedTurn[] = []

  function begin(turn: TurnBegin): void {
    const request = { ...opening, body: turn.body }
    const meter = dialect.createMeter(request, "messages")!
    running.set(turn.turn, { begin: turn, request, meter, messages: 0, firstOutput: undefined })
  }
  function end(name: string, ends?: { readonly statusCode: number; readonly error?: string }): void {
    const { begin, request, meter, messages, firstOutput } = running.get(name)!
    running.delete(name)
    ended.push({
      turn: name,
      model: dialect.prepare(request, { injectStreamUsage: true }).requestedModel,
      body: begin.body.toString(),
      messages,
      firstOutput,
      statusCode: ends?.statusCode,
      error: ends?.error,
      reading: meter.end({ complete: ends !== undefined }),
    })
  }

  for (const [from, json] of messages) {
    const bytes = Buffer.from(typeof json === "string" ? json : JSON.stringify(json))
    if (from === "client") {
      const turn = reader.onClient(bytes)
      if (turn !== undefined) begin(turn)
      continue
    }
    const message = reader.onProvider(bytes)
    if (message === undefined) continue
    if (message.endsEarlier !== undefined) end(message.endsEarlier.turn, message.endsEarlier)
    if (message.begins !== undefined) begin(message.begins)
    const turn = running.get(message.turn)!
    turn.messages++
    if (message.isOutput) turn.firstOutput ??= turn.messages
    turn.meter.push(bytes)
    if (message.ends !== undefined) end(message.turn, message.ends)
  }
  for (const name of running.keys()) end(name)
  return ended
}

/** Returns the cost of a turn by a price book. */
export function priceTurn(
  book: PriceBook,
  { reading, model, statusCode }: PlayedTurn,
  { provider = "openai", at = Date.parse("2026-11-20") } = {},
): Cost {
  return book.price({ provider, requestedModel: model, reading, at, failed: (statusCode ?? 200) >= 400 })
}
