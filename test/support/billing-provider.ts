import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { buffer } from "node:stream/consumers"
import { type BillingApi, type Books, type Charge, RATES, type Rates, type Work } from "./billing-provider/_books.ts"
import { type AdminAnswer, type AdminRequest, BadRequest, toJson } from "./billing-provider/_respond.ts"
import { answerAnalytics, answerLegacy } from "./billing-provider/anthropic.ts"
import { answerOpenAi } from "./billing-provider/openai.ts"
import { answerOpenRouter } from "./billing-provider/openrouter.ts"
import { type Script, toAsk } from "./fake-provider/_shape.ts"
import { makeAnswer } from "./fake-provider/answer.ts"
import { sendAnswer } from "./fake-provider/send.ts"

export { type BillingApi, type Charge, RATES, type Rates, totalOf, type Work } from "./billing-provider/_books.ts"

export const ADMIN_KEYS = {
  openai: "sk-admin-far-side-0123456789",
  anthropic: "sk-ant-admin01-far-side-0123456789",
  openrouter: "sk-or-v1-far-side-0123456789",
} as const satisfies Record<BillingApi, string>

/** An admin key that has expired, and one without the right to read usage, of each provider. */
export const EXPIRED_KEY = "sk-admin-expired-0123456789"
export const POWERLESS_KEY = "sk-admin-powerless-0123456789"

/** What the far side knows of an API key for models. */
export interface KeyIds {
  readonly id: string
  readonly project: string
}

/** One answer of an admin API instead of the correct one. `destroy` closes the connection. */
export type AdminFailure = Partial<AdminAnswer> & {
  readonly text?: string
  readonly destroy?: true
  readonly never?: true
}

export interface BillingProvider {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string
  readonly books: Books
  /** The questions to the admin APIs, oldest first. */
  readonly adminRequests: readonly AdminRequest[]
  /** Which of Anthropic's reports exist for the account. */
  analytics: "available" | "not_found" | "not_available"
  /** Sets the time of the provider, in milliseconds since the epoch. */
  setTime(ms: number): void
  /** Adds work that was served elsewhere. Members that are not given describe one request of an ordinary key. */
  serve(work: Pick<Work, "provider" | "at" | "model" | "quantities"> & Partial<Work>): Work
  charge(charge: Charge): void
  /** Sets the script of the next request to a model. */
  next(script: Script): void
  /** Answers the next questions to admin APIs with failures, one each. */
  failNext(...failures: readonly AdminFailure[]): void
  /** Forgets what was served, and all plans. */
  reset(): void
  close(): Promise<void>
}

/** Starts a provider with books: it serves models, keeps what it served, and answers the admin APIs from it. */
export async function startBillingProvider({
  now,
  rates = {},
  keys = {},
}: {
  /** The time in milliseconds since the epoch, at which it stands still, or a clock. */
  readonly now: number | (() => number)
  /** Rates beside those of `RATES`. */
  readonly rates?: Rates
  /** The ids of the API keys that serve models, by the key. */
  readonly keys?: Readonly<Record<string, KeyIds>>
}): Promise<BillingProvider> {
  let time: number | undefined
  const clock = typeof now === "function" ? now : () => now
  const books: Books = { works: [], charges: [], rates: {}, discounts: {}, now: () => time ?? clock() }
  const adminRequests: AdminRequest[] = []
  let failures: AdminFailure[] = []
  let scripts: Script[] = []

  const provider: Omit<BillingProvider, "origin" | "close"> = {
    books,
    adminRequests,
    analytics: "available",
    setTime: (ms) => {
      time = ms
    },
    serve: (given) => {
      const work: Work = {
        tier: "standard",
        family: "completions",
        requests: 1,
        key: "key_app",
        project: "proj_app",
        ...given,
        quantities: { ...given.quantities },
      }
      books.works.push(work)
      return work
    },
    charge: (charge) => void books.charges.push(charge),
    next: (script) => void scripts.push(script),
    failNext: (...planned) => void failures.push(...planned),
    reset: () => {
      books.works.length = 0
      books.charges.length = 0
      for (const each of Object.keys(books.discounts)) delete books.discounts[each as BillingApi]
      Object.assign(books.rates, structuredClone(RATES), structuredClone(rates))
      adminRequests.length = 0
      failures = []
      scripts = []
      time = undefined
      provider.analytics = "available"
    },
  }
  provider.reset()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://far.side")
    if (!/^\/v1\/organizations?\/|^\/api\/v1\/(?:activity|credits)$/.test(pathname))
      return serveModel(request, response)
    const question = { path: pathname, query: searchParams, headers: request.headers }
    adminRequests.push(question)
    const failure = failures.shift()
    if (failure?.never) return
    if (failure?.destroy) return void request.socket.destroy()
    const { status, body, headers } =
      failure === undefined ? answerAdmin(provider, question) : { status: 200, ...failure }
    response.writeHead(status, {
      "content-type": "application/json",
      "openai-organization": "far-side-org",
      ...headers,
    })
    response.end(failure?.text ?? toJson(body ?? {}))
  }

  async function serveModel(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await buffer(request)).toString()
    const json: unknown = text === "" ? undefined : JSON.parse(text)
    const script = scripts.shift() ?? {}
    const ask = toAsk(request.method ?? "", request.url ?? "", json, script)
    const work = toWork(ask, keys[credentialOf(request.headers)] ?? { id: "key_unknown", project: "proj_unknown" })
    // The work is done, and billed, whatever happens to the answer on its way.
    if (work !== undefined && (script.status ?? 200) < 400) provider.serve({ ...work, at: books.now() })
    await sendAnswer(response, makeAnswer(ask), { script, onBytes: () => {} })
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      // The test run reports the fault, and the client does not wait for an answer.
      response.destroy()
      throw error
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  return Object.assign(provider, {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

function answerAdmin(provider: Pick<BillingProvider, "books" | "analytics">, question: AdminRequest): AdminAnswer {
  const rejection = checkKey(question)
  if (rejection !== undefined) return rejection
  if (question.path.includes("/analytics/") && provider.analytics !== "available") {
    const message = "The Usage and Cost Analytics API is not available to this organization."
    return toError(provider.analytics === "not_found" ? 404 : 403, message)
  }
  const { books } = provider
  try {
    const body =
      answerOpenAi(books, question) ??
      answerAnalytics(books, question) ??
      answerLegacy(books, question) ??
      answerOpenRouter(books, question)
    return body === undefined ? toError(404, `Unknown path ${question.path}.`) : { status: 200, body }
  } catch (error) {
    if (error instanceof BadRequest) return toError(400, error.message)
    throw error
  }
}

/** Checks the credential as the providers do, and repeats a part of it as OpenAI does. */
function checkKey({ path, headers }: AdminRequest): AdminAnswer | undefined {
  const isAnthropic = path.startsWith("/v1/organizations/")
  const given = credentialOf(headers)
  const api = isAnthropic ? "anthropic" : path.startsWith("/api/") ? "openrouter" : "openai"
  if (given === ADMIN_KEYS[api]) return undefined
  if (given === EXPIRED_KEY) return toError(401, "This API key has expired.")
  if (given === POWERLESS_KEY) return toError(403, "Missing scopes: api.usage.read.")
  return toError(401, `Incorrect API key provided: ${given}. You can find your API key at https://far.side/keys.`)
}

function credentialOf(headers: AdminRequest["headers"]): string {
  return String(headers["x-api-key"] ?? headers["authorization"]).replace(/^Bearer /, "")
}

function toError(status: number, message: string): AdminAnswer {
  return { status, body: { type: "error", error: { type: "invalid_request_error", message } } }
}

/** Returns what a request to a model is billed for. */
function toWork(
  { path, tokens, model, script }: ReturnType<typeof toAsk>,
  { id, project }: KeyIds,
): Omit<Work, "at"> | undefined {
  const provider = path.endsWith("/messages") ? "anthropic" : path.startsWith("/api/v1/") ? "openrouter" : "openai"
  const operation = /\/(chat\/completions|responses|messages|embeddings|moderations)$/.exec(path)?.[1]
  if (operation === undefined) return undefined
  const family = operation === "embeddings" || operation === "moderations" ? operation : "completions"
  const input = tokens.input - tokens.cached - tokens.cacheWrite
  const quantities: Work["quantities"] =
    family !== "completions"
      ? { input: tokens.input }
      : {
          input,
          cache_read: tokens.cached,
          cache_write: tokens.cacheWrite - tokens.cacheWrite1h,
          cache_write_1h: tokens.cacheWrite1h,
          output: tokens.output,
        }
  const tier = script.serviceTier ?? "standard"
  return {
    provider,
    model,
    tier: tier === "default" ? "standard" : tier,
    key: id,
    project,
    family,
    requests: 1,
    quantities,
  }
}
