import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NO_READING, toTokenTotals } from "../../src/core/usage.ts"
import { toLogRecord } from "../../src/gateway/log-record.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { openMeter } from "../support/meter.ts"

/** One answer of a provider, with its tokens and its cost. README.md describes the members. */
interface AnswerVector {
  readonly title: string
  readonly rule: string
  readonly provider: string
  readonly format?: "openai" | "anthropic" | "gemini"
  readonly method?: string
  readonly path: string
  readonly requested?: string
  readonly request?: Readonly<Record<string, unknown>>
  readonly at: string
  readonly content_type?: string
  readonly answer?: unknown
  readonly stream?: readonly unknown[]
  readonly tokens?: Readonly<Record<"input" | "cached" | "written" | "written_1h" | "output" | "reasoning", number>>
  readonly arithmetic: string
  readonly status: string
  readonly input?: string
  readonly output?: string
  readonly total?: string
}

const vectors = JSON.parse(readFileSync(new URL("answers.json", import.meta.url), "utf8")) as readonly AnswerVector[]
const RULES = /^(openai|anthropic|gemini|compatible)\.|^unpriced$/

function bodyOf({ answer, stream, content_type: type }: AnswerVector): string {
  if (!stream) return type === undefined ? JSON.stringify(answer) : String(answer)
  return stream.map((each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`).join("")
}

function read(vector: AnswerVector) {
  const { provider } = vector
  const own = provider === "anthropic" ? "anthropic" : provider === "gemini" ? "gemini" : "openai"
  const dialect = DIALECTS[vector.format ?? own]
  const exchange = {
    provider: vector.provider,
    method: vector.method ?? "POST",
    path: vector.path,
    query: "",
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify({ model: vector.requested, ...vector.request })),
    host: "provider.test",
  }
  const contentType = vector.content_type ?? (vector.stream ? "text/event-stream" : "application/json")
  const meter = openMeter(dialect, exchange, { statusCode: 200, contentType })
  meter?.push(Buffer.from(bodyOf(vector)))
  return meter?.end({ complete: true }) ?? { ...NO_READING, free: dialect.isFree(exchange) }
}

describe("answers are priced as they are billed", () => {
  let book: PriceBook
  beforeAll(async () => {
    book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} })
  })
  afterAll(() => book.close())

  test.each(vectors.map((vector) => [`${vector.rule}: ${vector.title}`, vector] as const))("%s", (_, vector) => {
    const reading = read(vector)
    const at = Date.parse(vector.at)
    const cost = book.price({ provider: vector.provider, requestedModel: vector.requested, reading, at })

    const call = { id: "", receivedAt: at, method: vector.method ?? "POST", path: vector.path, query: "" }
    const row = toLogRecord({
      call: { ...call, rawHeaders: [], headers: {}, metadata: {}, body: Buffer.alloc(0) },
      caller: { keyId: "" },
      route: { provider: { name: vector.provider }, format: "openai" },
      prepared: { requestedModel: vector.requested },
      credentialHash: undefined,
      bodies: undefined,
      ending: {
        outcome: "complete",
        statusCode: 200,
        respondedAt: at,
        firstByteMs: 0,
        streamed: vector.stream !== undefined,
        error: undefined,
        reading,
      },
      cost,
    })
    const tokens = {
      input: row.input_tokens,
      cached: row.cached_tokens,
      written: row.cache_creation_tokens,
      written_1h: row.cache_creation_1h_tokens,
      output: row.output_tokens,
      reasoning: row.reasoning_tokens,
    }
    expect(tokens).toEqual(vector.tokens ?? tokens)
    if (row.cost_status === "estimated" || row.cost_status === "unpriced") expect(cost.price?.reason).toBeTruthy()
    expect(
      [row.cost_status, row.input_cost, row.output_cost, row.total_cost],
      `${vector.arithmetic}\n${JSON.stringify(cost.price)}\n${JSON.stringify(toTokenTotals(reading.parts))}`,
    ).toEqual(
      vector.tokens
        ? [vector.status, vector.input, vector.output, vector.total]
        : [vector.status, row.input_cost, vector.output, row.total_cost],
    )
  })
})

test("the arithmetic of each vector is right", () => {
  const equations = vectors.flatMap(({ arithmetic }) => [...arithmetic.matchAll(/([\d.e*+/() ]+?) = ([\d.]+)/g)])
  expect(equations.length).toBeGreaterThan(40)
  for (const [equation, sum, result] of equations) {
    // The pattern above allows only digits and signs.
    expect(Number(new Function(`return ${sum}`)()), equation).toBeCloseTo(Number(result), 12)
  }
})

test("each vector names its rule", () => {
  expect(vectors.filter(({ rule }) => !RULES.test(rule))).toEqual([])
})
