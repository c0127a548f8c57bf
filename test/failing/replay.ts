import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import type { LogRecord } from "../../src/core/log-record.ts"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import { BUILT_IN_PROVIDERS, type Provider } from "../../src/providers/catalog.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"
import type { Expectation } from "./expectations.ts"
import type { InputAnswer, InputFile, InputRequest } from "./inputs.ts"
import { openJobStore } from "./job-store.ts"

/**
 * Sends the requests of a file through the gateway, one after the other, and returns their rows: fewer than requests, if
 * the gateway rejects one of them.
 */
export async function replay(file: InputFile, expectation: Expectation): Promise<readonly LogRecord[]> {
  const directory = mkdtempSync(join(tmpdir(), "failing-"))
  const far = await startFarSide(file, expectation)
  const book = await createPriceBook({
    remoteUrl: "",
    refreshIntervalMs: 1000,
    now: Date.now,
    log: () => {},
    ...expectation.prices,
    ...(expectation.priceFile && { fallbackFile: writePriceFile(directory, expectation.priceFile) }),
  })
  const store = expectation.jobs && (await openJobStore(directory))
  const pipeline = await startPipeline({
    upstream: far.origin,
    settings: { foreignJobs: expectation.jobs === "foreign" },
    ...(store && { ledger: store.ledger }),
    providers: providersOf(expectation, far.origin),
    price: (question) => book.price(question),
  })
  try {
    const rows: LogRecord[] = []
    if (store) {
      for (const request of file.requests) await send(pipeline.origin, request, { expectation, arrived: NEVER })
      return await store.readRows()
    }
    for (const request of file.requests) {
      await send(pipeline.origin, request, { expectation, arrived: far.nextArrival() })
      if (expectation.isRejected) continue
      if (expectation.answer !== "never" && pipeline.records.length === rows.length) return rows
      rows.push(await pipeline.nextRecord())
    }
    return expectation.isRejected ? pipeline.records : rows
  } finally {
    await pipeline.close()
    await store?.close()
    await far.close()
    book.close()
    rmSync(directory, { recursive: true })
  }
}

const NEVER = new Promise<void>(() => {})

function writePriceFile(directory: string, content: Readonly<Record<string, unknown>>): string {
  const path = join(directory, "prices.json")
  writeFileSync(path, JSON.stringify(content))
  return path
}

function providersOf({ provider }: Expectation, baseUrl: string): Readonly<Record<string, Provider>> {
  const known = provider ? { ...BUILT_IN_PROVIDERS, [provider.name]: provider } : BUILT_IN_PROVIDERS
  const basePath = provider?.basePath ?? ""
  const entries = Object.entries(known).map(([name, { format }]) => {
    return [name, { name, format, baseUrl: name === provider?.name ? baseUrl + basePath : baseUrl }] as const
  })
  return Object.fromEntries(entries)
}

/** Sends one request and reads its whole answer. A client that gets no answer leaves when its request has arrived. */
async function send(
  origin: string,
  { method, path, headers, body }: InputRequest,
  { expectation, arrived }: { readonly expectation: Expectation; readonly arrived: Promise<void> },
): Promise<void> {
  const { provider, gzip, answer } = expectation
  const leaving = new AbortController()
  if (answer === "never") void arrived.then(() => leaving.abort())
  const text = typeof body === "string" ? body : JSON.stringify(body)
  const sent = fetch(origin + path, {
    method,
    headers: toHeaders(headers, provider?.name),
    ...(body !== null && { body: gzip ? gzipSync(JSON.stringify(gzip)) : text }),
    signal: leaving.signal,
  })
  if (answer === "never") await sent.then(drain, () => {})
  else await sent.then(drain)
}

function toHeaders(given: InputRequest["headers"], provider: string | undefined): Headers {
  const headers = new Headers(given)
  headers.set("x-majordomo-key", KEY)
  if (provider !== undefined) headers.set("x-majordomo-provider", provider)
  return headers
}

async function drain(response: Response): Promise<void> {
  await response.arrayBuffer()
}

/** A stand-in for the providers that gives the answers of a file in their order, the last one repeatedly. */
async function startFarSide({ answers }: InputFile, { answer, target }: Expectation) {
  let count = 0
  let announce: () => void = () => {}
  const server = createServer(async (request, response) => {
    const body = await readAll(request)
    announce()
    if (answer === "never") return
    if (target !== undefined && request.url !== target) return void response.writeHead(404).end()
    const given = answers[Math.min(count++, answers.length - 1)]
    sendAnswer(response, given ?? (answer === "chat stream" ? toChatStream(body) : SMALL_JSON))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    nextArrival: () =>
      new Promise<void>((resolve) => {
        announce = resolve
      }),
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  const bytes = Buffer.concat(pieces)
  return request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes
}

function sendAnswer(response: ServerResponse, { status, headers, body }: InputAnswer): void {
  response.writeHead(status, headers).end(body)
}

const SMALL_JSON: InputAnswer = {
  status: 200,
  headers: { "content-type": "application/json" },
  body: '{"id":"x_1","object":"thing"}',
}

/** A chat stream that states its usage only if the request asks for it. */
function toChatStream(request: Buffer): InputAnswer {
  const model = "gpt-4o-mini-2024-07-18"
  const events: unknown[] = [
    { model, choices: [{ index: 0, delta: { content: "Hello there" } }] },
    { model, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  ]
  if (request.includes('"include_usage":true'))
    events.push({ model, choices: [], usage: { prompt_tokens: 8, completion_tokens: 2, total_tokens: 10 } })
  const body = [...events.map((event) => JSON.stringify(event)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("")
  return { status: 200, headers: { "content-type": "text/event-stream" }, body }
}
