import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import pg from "pg"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { type FakeProvider, startFakeProvider, type Tokens } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"

/** The tokens of every response of the fake provider here, where its API has such a count. */
const COUNTS: Tokens = { input: 120, cached: 40, cacheWrite: 0, cacheWrite1h: 0, output: 30, reasoning: 10 }
const PROMPT = "How far is it to the fake provider?"
const messages = [{ role: "user" as const, content: PROMPT }]

/** The destination of a call: directly to the fake provider, or through the gateway with its header. */
interface Door {
  readonly origin: string
  readonly headers: Record<string, string>
}

/** The usage that an SDK read, in the convention of the row, or undefined if it got none. */
type Usage = Partial<Tokens> | undefined

interface Case {
  readonly call: (door: Door) => Promise<Usage>
  readonly row: Readonly<Record<string, unknown>>
}

const openai = ({ origin, headers }: Door) =>
  new OpenAI({ apiKey: "sk-test", baseURL: `${origin}/v1`, defaultHeaders: headers, maxRetries: 0 })
const anthropic = ({ origin, headers }: Door) =>
  new Anthropic({ apiKey: "sk-ant-test", baseURL: origin, defaultHeaders: headers, maxRetries: 0 })
const gemini = ({ origin, headers }: Door) =>
  new GoogleGenAI({ apiKey: "g-test", httpOptions: { baseUrl: origin, headers } })

const chat = { model: "gpt-4o-mini", messages }
const claude = { model: "claude-sonnet-4-5", max_tokens: 64, messages }
const flash = { model: "gemini-2.5-flash", contents: PROMPT }

const cases: Readonly<Record<string, Case>> = {
  "OpenAI chat": {
    call: async (door) => fromChat((await openai(door).chat.completions.create(chat)).usage),
    row: { provider: "openai", model: "gpt-4o-mini", streamed: false },
  },
  "OpenAI chat, streamed, usage requested": {
    call: async (door) => {
      const asked = { ...chat, stream: true as const, stream_options: { include_usage: true } }
      let usage: Usage
      for await (const chunk of await openai(door).chat.completions.create(asked)) {
        if (chunk.usage) usage = fromChat(chunk.usage)
      }
      return usage
    },
    row: { provider: "openai", model: "gpt-4o-mini", streamed: true },
  },
  "OpenAI chat, streamed, usage not requested": {
    call: async (door) => {
      for await (const chunk of await openai(door).chat.completions.create({ ...chat, stream: true })) {
        expect(chunk).not.toHaveProperty("usage")
        expect(chunk.choices).toHaveLength(1)
      }
      return undefined
    },
    row: { provider: "openai", model: "gpt-4o-mini", streamed: true },
  },
  "OpenAI responses": {
    call: async (door) => fromResponse((await openai(door).responses.create({ model: "gpt-5", input: PROMPT })).usage),
    row: { provider: "openai", model: "gpt-5", streamed: false },
  },
  "OpenAI responses, streamed": {
    call: async (door) => {
      let usage: Usage
      for await (const event of await openai(door).responses.create({ model: "gpt-5", input: PROMPT, stream: true })) {
        if (event.type === "response.completed") usage = fromResponse(event.response.usage)
      }
      return usage
    },
    row: { provider: "openai", model: "gpt-5", streamed: true },
  },
  "OpenAI embeddings": {
    call: async (door) => {
      const { usage } = await openai(door).embeddings.create({ model: "text-embedding-3-small", input: PROMPT })
      return { input: usage.prompt_tokens, cached: 0, output: 0, reasoning: 0 }
    },
    row: { provider: "openai", model: "text-embedding-3-small", streamed: false },
  },
  "Anthropic messages": {
    call: async (door) => fromMessage((await anthropic(door).messages.create(claude)).usage),
    row: { provider: "anthropic", model: "claude-sonnet-4-5", streamed: false },
  },
  "Anthropic messages, streamed": {
    call: async (door) => fromMessage((await anthropic(door).messages.stream(claude).finalMessage()).usage),
    row: { provider: "anthropic", model: "claude-sonnet-4-5", streamed: true },
  },
  "Gemini generateContent": {
    call: async (door) => fromGemini((await gemini(door).models.generateContent(flash)).usageMetadata),
    row: { provider: "gemini", model: "gemini-2.5-flash", streamed: false },
  },
  "Gemini generateContent, streamed": {
    call: async (door) => {
      let usage: Usage
      for await (const chunk of await gemini(door).models.generateContentStream(flash)) {
        usage = fromGemini(chunk.usageMetadata)
      }
      return usage
    },
    row: { provider: "gemini", model: "gemini-2.5-flash", streamed: true },
  },
}

describe("the official SDKs, through the gateway", () => {
  let fakeProvider: FakeProvider
  let installation: Installation
  let gateway: RunningGateway
  let database: pg.Client
  let direct: Door
  let through: Door
  /** The bytes of every response that an SDK fetched, in order. */
  let fetched: { readonly headers: Headers; readonly bytes: Promise<Buffer> }[]

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    const { url } = await createTestDatabase()
    database = new pg.Client({ connectionString: url })
    await database.connect()
    installation = createInstallation({
      DATABASE_URL: url,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    const { key } = (await installation.runJson(["keys", "create", "--name", "SDKs"])) as { readonly key: string }
    gateway = await installation.serve()
    direct = { origin: fakeProvider.origin, headers: {} }
    through = { origin: gateway.origin, headers: { "X-Majordomo-Key": key } }
  })
  afterAll(async () => {
    await installation?.remove()
    await database?.end()
    await fakeProvider?.close()
  })
  beforeEach(() => {
    fakeProvider.reset()
    fetched = []
    const realFetch = globalThis.fetch
    vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
      const answer = await realFetch(...args)
      const bytes = answer.clone().arrayBuffer()
      fetched.push({ headers: answer.headers, bytes: bytes.then((buffer) => Buffer.from(buffer)) })
      return answer
    })
    // An SDK warns once that a model is old. That is not part of this test.
    vi.spyOn(console, "warn").mockImplementation(() => {})
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  test.each(Object.entries(cases))(
    "%s: the bytes are the same, and the row equals the usage",
    async (_name, { call, row }) => {
      fakeProvider.always({ tokens: COUNTS })
      const usageDirect = await call(direct)
      const usageThrough = await call(through)
      const [one, other] = fetched
      expect(fetched).toHaveLength(2)
      expect((await other!.bytes).toString()).toBe((await one!.bytes).toString())
      expect(other!.headers.get("content-type")).toBe(one!.headers.get("content-type"))
      expect(usageThrough).toEqual(usageDirect)

      const written = await rowOf(other!.headers)
      expect(written).toMatchObject({ ...row, usage_source: "reported", cost_status: "exact", outcome: "complete" })
      const counted = {
        input: written["input_tokens"],
        cached: written["cached_tokens"],
        output: written["output_tokens"],
        reasoning: written["reasoning_tokens"],
      }
      expect(counted).toEqual(usageThrough ?? { input: 120, cached: 40, output: 30, reasoning: 10 })
      expect(Number(written["total_cost"])).toBeGreaterThan(0)
      if (row["streamed"] === false) {
        expect(other!.headers.get("x-majordomo-cost-status")).toBe("exact")
        expect(Number(other!.headers.get("x-majordomo-cost"))).toBe(Number(written["total_cost"]))
      }
    },
  )

  test("free calls have a row and cost nothing", async () => {
    const count = { model: "claude-sonnet-4-5", messages }
    await anthropic(through).messages.countTokens(count)
    await gemini(through).models.countTokens(flash)
    await openai(through).models.list()
    await openai(through).moderations.create({ input: PROMPT })
    for (const { headers } of fetched) {
      expect(await rowOf(headers)).toMatchObject({ cost_status: "free", status_code: 200, input_tokens: 0 })
      expect(Number((await rowOf(headers))["total_cost"])).toBe(0)
    }
    expect(fetched).toHaveLength(4)
  })

  test("a provider's error reaches the SDK as the SDK's own error, with a row", async () => {
    fakeProvider.always({ status: 429, headers: ["retry-after", "7"] })
    const refused = await openai(through)
      .chat.completions.create(chat)
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError)
    expect((refused as InstanceType<typeof OpenAI.RateLimitError>).headers?.get("retry-after")).toBe("7")
    await expect(anthropic(through).messages.create(claude)).rejects.toBeInstanceOf(Anthropic.RateLimitError)
    await expect(gemini(through).models.generateContent(flash)).rejects.toMatchObject({ status: 429 })
    for (const { headers } of fetched) {
      expect(await rowOf(headers)).toMatchObject({ status_code: 429, usage_source: "none", outcome: "complete" })
    }
  })

  test("a wrong gateway key reaches each SDK as its own authentication error", async () => {
    const wrong = { origin: gateway.origin, headers: { "X-Majordomo-Key": "mdm_sk_wrong" } }
    await expect(openai(wrong).chat.completions.create(chat)).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
    await expect(anthropic(wrong).messages.create(claude)).rejects.toBeInstanceOf(Anthropic.AuthenticationError)
    await expect(gemini(wrong).models.generateContent(flash)).rejects.toMatchObject({ status: 401 })
    expect(fakeProvider.exchanges).toEqual([])
  })

  test("a request that the provider rejects because of include_usage is sent again without it, and the row says that the usage is estimated", async () => {
    fakeProvider.always({ refuseIncludeUsage: true })
    let text = ""
    for await (const chunk of await openai(through).chat.completions.create({ ...chat, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ""
    }
    expect(text).toBe(`The fake provider heard ${PROMPT.length} characters.`)
    expect(fakeProvider.exchanges.map(({ json }) => json)).toEqual([
      { ...chat, stream: true, stream_options: { include_usage: true } },
      { ...chat, stream: true },
    ])
    expect(await rowOf(fetched[0]!.headers)).toMatchObject({ usage_source: "estimated", cost_status: "estimated" })
  })

  /** Waits until the row of a response is in the database. */
  async function rowOf(headers: Headers): Promise<Record<string, unknown>> {
    const id = headers.get("x-majordomo-request-id")
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    return until(async () => {
      const text = "SELECT to_jsonb(llm_requests) AS row FROM llm_requests WHERE id = $1"
      const { rows } = await database.query(text, [id])
      expect(rows, `row ${id}`).toHaveLength(1)
      return rows[0].row
    }, 50)
  }
})

function fromChat(usage: OpenAI.CompletionUsage | undefined): Usage {
  return {
    input: usage?.prompt_tokens,
    cached: usage?.prompt_tokens_details?.cached_tokens,
    output: usage?.completion_tokens,
    reasoning: usage?.completion_tokens_details?.reasoning_tokens,
  }
}

function fromResponse(usage: OpenAI.Responses.ResponseUsage | undefined): Usage {
  return {
    input: usage?.input_tokens,
    cached: usage?.input_tokens_details.cached_tokens,
    output: usage?.output_tokens,
    reasoning: usage?.output_tokens_details.reasoning_tokens,
  }
}

function fromMessage(usage: Anthropic.Usage): Usage {
  const cached = usage.cache_read_input_tokens ?? 0
  return {
    input: usage.input_tokens + cached + (usage.cache_creation_input_tokens ?? 0),
    cached,
    output: usage.output_tokens,
    reasoning: usage.output_tokens_details?.thinking_tokens ?? 0,
  }
}

interface GeminiUsage {
  readonly promptTokenCount?: number
  readonly cachedContentTokenCount?: number
  readonly candidatesTokenCount?: number
  readonly thoughtsTokenCount?: number
}

function fromGemini(usage: GeminiUsage | undefined): Usage {
  const reasoning = usage?.thoughtsTokenCount ?? 0
  return {
    input: usage?.promptTokenCount,
    cached: usage?.cachedContentTokenCount,
    output: (usage?.candidatesTokenCount ?? 0) + reasoning,
    reasoning,
  }
}
