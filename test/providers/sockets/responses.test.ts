import { beforeAll, describe, expect, it } from "vitest"
import { createPriceBook, type PriceBook } from "../../../src/pricing/price-book.ts"
import { DIALECTS } from "../../../src/providers/catalog.ts"
import { type Message, type PlayedTurn, playSession, priceTurn } from "../../support/play-session.ts"

const { openai } = DIALECTS
const PATH = "/v1/responses"
let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
})

interface Options {
  readonly stream?: string
  readonly previous?: string
  readonly usage?: unknown
  readonly end?: string
}

const USAGE = {
  input_tokens: 1000,
  input_tokens_details: { cached_tokens: 400 },
  output_tokens: 500,
  output_tokens_details: { reasoning_tokens: 100 },
  total_tokens: 1500,
}

/** Returns the events of one response as the provider sends them, one per message. */
function events(id: string, { stream, previous, usage = USAGE, end = "completed" }: Options = {}): Message[] {
  const lane = stream === undefined ? {} : { stream_id: stream }
  const response = { id, object: "response", model: "gpt-5.5-2026-04-23", previous_response_id: previous ?? null }
  const from = (event: object): Message => ["provider", { ...event, ...lane }]
  return [
    from({
      type: "response.created",
      sequence_number: 0,
      response: { ...response, status: "in_progress", usage: null },
    }),
    from({ type: "response.in_progress", sequence_number: 1, response: { ...response, usage: null } }),
    from({ type: "response.output_text.delta", sequence_number: 2, item_id: "m", delta: "Hello there" }),
    from({ type: `response.${end}`, sequence_number: 3, response: { ...response, status: end, usage } }),
  ]
}

function create(members: object = {}): Message {
  return ["client", { type: "response.create", model: "gpt-5.5", input: "Hi", ...members }]
}

const play = (...messages: Message[]) => playSession(openai, { path: PATH }, messages)
const short = ({ turn, statusCode, reading }: PlayedTurn) => ({
  turn,
  statusCode,
  source: reading.source,
  tokens: reading.parts[0]?.usage,
})

describe("a response in a session", () => {
  it("is priced like the same response over HTTP: cached and reasoning tokens are parts of the totals", () => {
    const [turn] = play(create(), ...events("resp_1"))
    expect(turn).toMatchObject({ turn: "1", statusCode: 200, messages: 4, firstOutput: 3, error: undefined })
    expect(turn?.reading).toMatchObject({ model: "gpt-5.5-2026-04-23", source: "reported" })
    // 600 × 5 + 400 × 0.5 + 500 × 30 per million.
    expect(priceTurn(book, turn!)).toMatchObject({ status: "exact", totalCost: "0.0182" })
  })

  it("asks for what its message says beside its type, in the form of a request over HTTP", () => {
    const [turn] = play(
      ["client", '{"input":[{"type":"message"}], "type" : "response.create", "model":"gpt-5.5","store":false}'],
      ...events("resp_1"),
    )
    expect(turn?.body).toBe('{"input":[{"type":"message"}], "model":"gpt-5.5","store":false}')
    expect(turn?.model).toBe("gpt-5.5")
    expect(play(["client", '{"model":"m","type":"response.create"}'])[0]?.body).toBe('{"model":"m"}')
    expect(play(["client", '{"type":"response.create"}'])[0]?.body).toBe("{}")
  })

  it("counts the tools and the tier that its last event states", () => {
    const done = {
      type: "response.completed",
      response: {
        id: "resp_1",
        model: "gpt-5.5",
        service_tier: "priority",
        tools: [{ type: "web_search" }],
        output: [{ type: "web_search_call", action: { type: "search" } }],
        usage: USAGE,
      },
    }
    const [turn] = play(create(), ["provider", done])
    expect(turn?.reading).toMatchObject({ tier: "priority", units: { webSearches: 1 } })
  })

  it.each([
    ["completed", undefined],
    ["incomplete", undefined],
    ["cancelled", undefined],
  ])("that is %s has the usage of its last event", (end, error) => {
    const [turn] = play(create(), ...events("resp_1", { end }))
    expect(turn).toMatchObject({ statusCode: 200, error, reading: { source: "reported" } })
  })

  it("that fails says why, with credentials redacted", () => {
    const error = { code: "server_error", message: "The key sk-abcdefghijklmnopqrstuvwx has no more money" }
    const [turn] = play(create(), events("r")[0]!, [
      "provider",
      { type: "response.failed", response: { id: "r", error } },
    ])
    expect(turn).toMatchObject({ statusCode: 200, error: "The key *** has no more money" })
  })

  it("that is longer than a document that is parsed is read all the same", () => {
    const [first, ...rest] = events("resp_1")
    const long = { id: "i", type: "message", content: [{ type: "output_text", text: "x".repeat(400_000) }] }
    const done = rest.at(-1)![1] as { response: object }
    const last: Message = ["provider", { ...done, response: { output: [long], ...done.response } }]
    const [turn] = play(create(), first!, last)
    expect(turn?.reading.parts[0]?.usage).toMatchObject({ input: 600, cacheRead: 400, output: 400, reasoning: 100 })
  })
})

describe("the responses of a session", () => {
  it("each have their own turn, with the events between its beginning and its end", () => {
    const turns = play(
      create(),
      ...events("resp_1"),
      ["provider", { type: "codex.rate_limits", plan_type: "pro" }],
      create({ previous_response_id: "resp_1" }),
      ...events("resp_2", { previous: "resp_1", usage: { ...USAGE, output_tokens: 600, total_tokens: 1600 } }),
    )
    expect(turns.map(short)).toMatchObject([
      { turn: "1", statusCode: 200, tokens: { output: 400 } },
      { turn: "2", statusCode: 200, tokens: { output: 500 } },
    ])
  })

  it("that were asked for at once are answered in their order", () => {
    const turns = play(create(), create({ model: "gpt-4o-mini" }), ...events("resp_1"), ...events("resp_2"))
    expect(turns.map(({ turn, model }) => [turn, model])).toEqual([
      ["1", "gpt-5.5"],
      ["2", "gpt-4o-mini"],
    ])
  })

  it("run side by side on different streams, each with its own events", () => {
    const a = events("resp_a", { stream: "a" })
    const b = events("resp_b", { stream: "b", usage: { ...USAGE, output_tokens: 700, total_tokens: 1700 } })
    const none = events("resp_c", { usage: { ...USAGE, output_tokens: 800, total_tokens: 1800 } })
    const turns = play(
      create({ stream_id: "a" }),
      create({ stream_id: "b" }),
      create(),
      ...a.flatMap((each, at) => [b[at]!, none[at]!, each]),
    )
    expect(turns.map(short)).toMatchObject([
      { turn: "2", tokens: { output: 600 } },
      { turn: "3", tokens: { output: 700 } },
      { turn: "1", tokens: { output: 400 } },
    ])
    expect(turns.map(({ messages }) => messages)).toEqual([4, 4, 4])
  })

  it("are begun by the provider itself after a steered one, also before the client's next", () => {
    const steered: Message = ["client", { type: "response.steer", previous_response_id: "resp_1", input: "Shorter" }]
    const steer = { id: "steer_1", previous_response_id: "resp_1" }
    const turns = play(
      create(),
      ...events("resp_1").slice(0, 3),
      steered,
      ["provider", { type: "response.steer.accepted", sequence_number: 3, steer }],
      create({ model: "gpt-4o-mini", previous_response_id: "resp_9" }),
      events("resp_1", { end: "incomplete" })[3]!,
      ...events("resp_2", { previous: "resp_1" }),
      ...events("resp_3", { previous: "resp_9" }),
    )
    expect(turns.map(({ turn, model }) => [turn, model])).toEqual([
      ["1", "gpt-5.5"],
      ["3", "gpt-5.5"],
      ["2", "gpt-4o-mini"],
    ])
    expect(turns.every(({ reading }) => reading.source === "reported")).toBe(true)
  })

  it("include one whose beginning was not seen, if its end is", () => {
    const turns = play(...events("resp_1").slice(2))
    expect(turns.map(short)).toMatchObject([{ turn: "1", statusCode: 200, source: "reported" }])
  })

  it("do not include messages of the client that create none", () => {
    expect(
      play(
        ["client", { type: "response.inject", response_id: "resp_1" }],
        ["client", "[]"],
        ["client", '{"type":"response.create"'],
        ["client", "not JSON"],
        ["client", { response: { type: "response.create" } }],
      ),
    ).toEqual([])
  })
})

describe("an error event", () => {
  const REJECTED = {
    type: "error",
    status: 400,
    error: { type: "invalid_request_error", code: "previous_response_not_found", message: "Not found." },
  }

  it("ends the response that it rejects, which costs nothing", () => {
    const [turn] = play(create(), ["provider", REJECTED])
    expect(turn).toMatchObject({ statusCode: 400, error: "Not found." })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "free", totalCost: "0" })
  })

  it("rejects the response that waits, not the one that runs", () => {
    const [first, ...rest] = events("resp_1")
    const turns = play(create(), first!, create(), ["provider", REJECTED], ...rest)
    expect(turns.map(short)).toMatchObject([
      { turn: "2", statusCode: 400 },
      { turn: "1", statusCode: 200, source: "reported" },
    ])
  })

  it("about an invalid message does not end the response that runs", () => {
    const [first, ...rest] = events("resp_1")
    const turns = play(create(), first!, ["provider", REJECTED], ...rest)
    expect(turns.map(short)).toMatchObject([{ turn: "1", statusCode: 200, source: "reported" }])
  })

  it.each([
    ["a status", { status: 529, error: { type: "overloaded", message: "Busy" } }, 529],
    ["no status", { error: { type: "server_error", message: "Busy" } }, 500],
    ["a limit", { error: { type: "rate_limit_error", code: "rate_limit_exceeded", message: "Busy" } }, 429],
    ["a status of Codex's backend", { status_code: 429, error: { type: "usage_limit_reached", message: "Busy" } }, 429],
    ["the form of a stream", { code: "server_error", message: "Busy", param: null, sequence_number: 4 }, 500],
  ])("with %s ends the response that runs, which is estimated from its text", (_, error, statusCode) => {
    const [turn] = play(create(), ...events("resp_1").slice(0, 3), ["provider", { type: "error", ...error }])
    expect(turn).toMatchObject({ statusCode, error: "Busy", reading: { source: "estimated" } })
  })

  it("on one stream leaves the others alone", () => {
    const turns = play(
      create({ stream_id: "a" }),
      create({ stream_id: "b" }),
      ["provider", { ...REJECTED, stream_id: "a" }],
      ...events("resp_b", { stream: "b" }),
    )
    expect(turns.map(short)).toMatchObject([
      { turn: "1", statusCode: 400 },
      { turn: "2", statusCode: 200 },
    ])
  })
})

describe("a response without its usage", () => {
  it("is estimated if the session ends first: from its text, and from the tokens of the response that it continues", () => {
    const cut = events("resp_2", { previous: "resp_1" }).slice(0, 3)
    const turns = play(create(), ...events("resp_1"), create({ previous_response_id: "resp_1" }), ...cut)
    expect(turns[1]?.statusCode).toBeUndefined()
    expect(turns[1]?.body).toContain('"conversation_tokens":{"text":1500,"audio":0,"image":0}')
    const { input, output } = turns[1]!.reading.parts[0]!.usage
    expect(turns[1]?.reading.source).toBe("estimated")
    expect(input).toBeGreaterThan(1500)
    expect(input).toBeLessThan(1600)
    expect(output).toBeGreaterThan(0)
    expect(priceTurn(book, turns[1]!)).toMatchObject({ status: "estimated" })
  })

  it("counts with a tokenizer what it counted by length, and the conversation before it as well", () => {
    const cut = events("resp_2", { previous: "resp_1" }).slice(0, 3)
    const turns = play(create(), ...events("resp_1"), create({ previous_response_id: "resp_1" }), ...cut)
    const reading = turns[1]?.reading.countable?.toReading({ input: 20, output: 2 })
    expect(reading?.parts[0]?.usage.input).toBe(1520)
  })

  it("is not free if nothing of it was seen: its cost is not known", () => {
    const [turn] = play(create())
    expect(turn).toMatchObject({ statusCode: undefined, messages: 0, reading: { source: "none" } })
    expect(priceTurn(book, turn!)).toMatchObject({ status: "unpriced", totalCost: undefined })
  })
})

describe("a warm-up", () => {
  const usage = { input_tokens: 9000, input_tokens_details: { cached_tokens: 0 }, output_tokens: 0, total_tokens: 9000 }

  it("has the usage that it reports, and says that nobody knows whether it is billed", () => {
    const [created, , , done] = events("resp_0", { usage })
    const [turn] = play(create({ generate: false }), created!, done!)
    // 9000 × 5 per million.
    expect(priceTurn(book, turn!)).toMatchObject({
      status: "estimated",
      totalCost: "0.045",
      price: { reason: "whether a warm-up is billed is not known" },
    })
  })

  it("keeps that doubt when its row is priced again", () => {
    const [created, , , done] = events("resp_0", { usage })
    const [turn] = play(create({ generate: false }), created!, done!)
    const stored = JSON.parse(JSON.stringify(turn?.reading.raw))
    const evidence = {
      method: "GET",
      path: PATH,
      model: "gpt-5.5",
      usage: stored,
      source: "reported",
      isFree: false,
    } as const
    expect(openai.toReading(evidence).missing).toEqual(["whether a warm-up is billed is not known"])
  })
})

describe("an error of the gateway's own", () => {
  it("has the form of an error event, with the status and on the stream of the message", () => {
    const body = openai.errorBody("limit_exceeded", 429, "Used up.", "cost")
    const asked = Buffer.from('{"type":"response.create","stream_id":"a"}')
    expect(JSON.parse(openai.sockets!.errorMessage({ statusCode: 429, body }, asked))).toEqual({
      type: "error",
      event_id: "event_of_gateway",
      status: 429,
      error: { message: "Used up.", type: "insufficient_quota", param: null, code: "insufficient_quota" },
      stream_id: "a",
    })
    const reader = openai.sockets!.createReader({ path: PATH } as never)
    expect(reader.onClient(asked)?.turn).toBe("1")
    reader.onRejected("1")
    expect(reader.onProvider(Buffer.from('{"type":"response.output_text.delta","stream_id":"a"}'))).toBeUndefined()
  })
})
