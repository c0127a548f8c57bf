import { Agent, createServer, type IncomingHttpHeaders, request } from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate as turn } from "node:timers/promises"
import type { PriceQuery } from "../../src/core/cost.ts"
import type { JournalRecord, LogRecord } from "../../src/core/log-record.ts"
import { type Reading, toTokenTotals } from "../../src/core/usage.ts"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import type { Provider } from "../../src/providers/catalog.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"
import { formatOf, itemsOf, judge, methodOf, toModelName } from "./judge.ts"
import { bodyOf, headersOf, type Recording } from "./recordings.ts"
import { sumProblems } from "./sum.ts"

/** What went through the gateway for one recording. */
interface Relayed {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Whether the connection ended before the response did. */
  readonly isTruncated: boolean
  readonly record: LogRecord
  readonly reading: Reading
}

/** A stand-in for the providers, the gateway, and a client, with real sockets and one recording at a time. */
export async function startRelay(recordings: readonly Recording[]) {
  const fakeProvider = await startReplay(new Map(recordings.map((recording) => [recording.id, recording])))
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  const asked: PriceQuery[] = []
  const pipeline = await startPipeline({
    upstream: fakeProvider.origin,
    providers: providersOf(recordings, fakeProvider.origin),
    price(question) {
      asked.push(question)
      return book.price(question)
    },
  })
  const agent = new Agent({ keepAlive: true })

  /** Relays a recording. Returns one result, or one for each item if it is the results of a batch. */
  async function relay(recording: Recording): Promise<readonly Relayed[]> {
    const answer = await ask(recording, pipeline.port, agent)
    const items: Pick<Relayed, "record" | "reading">[] = []
    for (;;) {
      const record: JournalRecord = await pipeline.nextRecord()
      const { reading } = asked.shift()!
      const { job } = record
      if (job && "item" in job) items.push({ record, reading })
      else if (!itemsOf(recording)) return [{ ...answer, record, reading }]
      else {
        const { id, streamed } = record
        return items.map((item) => ({ ...answer, ...item, record: { ...item.record, id, streamed } }))
      }
    }
  }

  return {
    /** The differences from the recording in words: bytes, reading, and columns of the row. Empty if there are none. */
    async judge(recording: Recording): Promise<string[]> {
      const all = await relay(recording)
      return (itemsOf(recording) ?? [recording]).flatMap((expected, index) => {
        const relayed = all[index]!
        return [
          ...bytesProblems(expected, relayed),
          ...judge(expected, relayed.reading),
          ...rowProblems(expected, relayed),
          ...sumProblems(relayed.record),
        ]
      })
    },
    async close(): Promise<void> {
      agent.destroy()
      await pipeline.close()
      await fakeProvider.close()
      book.close()
    },
  }
}

function bytesProblems(recording: Recording, relayed: Relayed): string[] {
  const { status, expected } = recording
  const sent = bodyOf(recording)
  const wrong: string[] = []
  if (relayed.status !== status) wrong.push(`status: ${status} became ${relayed.status}`)
  if (!relayed.body.equals(sent)) {
    const at = sent.findIndex((byte, index) => byte !== relayed.body[index])
    wrong.push(`bytes: ${sent.length} came, ${relayed.body.length} went out, the first other one at ${at}`)
  }
  if (relayed.isTruncated !== (expected.partial === true)) wrong.push(`cut: ${relayed.isTruncated}`)
  return wrong
}

/** Compares each column that describes the response with the recording. */
function rowProblems(recording: Recording, { record, reading, headers }: Relayed): string[] {
  const { expected, path, status } = recording
  const method = methodOf(recording)
  const totals = toTokenTotals(reading.free && method === "GET" ? [] : reading.parts)
  const isStream = expected.partial === true || /event-?stream|jsonl/.test(recording.content_type)
  const columns: Partial<Record<keyof LogRecord, unknown>> = {
    id: headers["x-majordomo-request-id"],
    provider: providerOf(recording),
    model: modelOf(recording, record),
    request_path: targetOf(path).split("?")[0],
    request_method: method,
    input_tokens: totals.inputTokens,
    cached_tokens: totals.cachedTokens,
    cache_creation_tokens: totals.cacheCreationTokens,
    cache_creation_1h_tokens: totals.cacheCreation1hTokens,
    output_tokens: totals.outputTokens,
    reasoning_tokens: totals.reasoningTokens,
    usage_source: expected.partial ? record.usage_source : sourceOf(recording, reading),
    usage: reading.raw,
    status_code: status,
    outcome: expected.partial ? "upstream_broke" : "complete",
    ...(isStream && { streamed: true }),
    ...(expected.free_endpoint && { cost_status: "free", total_cost: "0" }),
  }
  const wrong = Object.entries(columns).flatMap(([name, want]) => {
    const got = record[name as keyof LogRecord]
    return got === want ? [] : [`column ${name}: expected ${JSON.stringify(want)}, got ${JSON.stringify(got)}`]
  })
  const isEstimated = expected.partial || record.usage_source === "estimated"
  if (isEstimated && record.cost_status === "exact") wrong.push("the cost of an estimated answer is exact")
  if (status >= 400 && record.error_message === undefined) wrong.push("column error_message: nothing")
  const header = headers["x-majordomo-cost-status"]
  if (!record.streamed && header !== undefined && header !== record.cost_status) wrong.push(`header: cost is ${header}`)
  if (!record.streamed && header !== undefined && headers["x-majordomo-cost"] !== record.total_cost) {
    wrong.push(`header: cost ${headers["x-majordomo-cost"]}, row ${record.total_cost}`)
  }
  return wrong
}

/** Returns a name of the model that is right in the row: the one that it has, if it is among several. */
function modelOf({ expected, request_model }: Recording, record: LogRecord): string {
  if (expected.models_ok?.includes(record.model)) return record.model
  return toModelName(expected.model ?? request_model ?? record.requested_model ?? "")
}

/** Returns the name of the provider in the settings. A cloud that offers several APIs has one for each. */
function providerOf(recording: Recording): string {
  const { provider } = recording
  const format = formatOf(recording)
  return CLOUDS.has(provider) && provider !== format ? `${provider}-${format}-api` : provider
}

const CLOUDS = new Set(["bedrock", "vertex", "azure"])

function providersOf(recordings: readonly Recording[], baseUrl: string): Readonly<Record<string, Provider>> {
  return Object.fromEntries(
    recordings.map((recording) => {
      const name = providerOf(recording)
      return [name, { name, format: formatOf(recording), baseUrl }]
    }),
  )
}

/** Some clients double the first slash. The gateway rejects such a path, and says so. */
function targetOf(path: string): string {
  return path.replace(/^\/+/, "/")
}

function ask(recording: Recording, port: number, agent: Agent): Promise<Omit<Relayed, "record" | "reading">> {
  const method = methodOf(recording)
  const named = recording.request_model ? { model: recording.request_model } : {}
  const body = method === "GET" ? "" : JSON.stringify({ ...named, ...recording.request, ...asking(recording) })
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      port,
      agent,
      method,
      path: targetOf(recording.path),
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "x-majordomo-key": KEY,
        "x-majordomo-provider": providerOf(recording),
        "x-recording": recording.id,
      },
    })
    outgoing.on("error", reject)
    outgoing.on("response", (answer) => {
      const pieces: Buffer[] = []
      const end = (isTruncated: boolean) =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces), isTruncated })
      answer.on("data", (piece: Buffer) => pieces.push(piece))
      answer.on("end", () => end(false))
      answer.on("error", () => end(true))
    })
    outgoing.end(body)
  })
}

/**
 * Returns what the request asks for, so that the client gets the recorded bytes. A chat stream contains its usage because
 * the request asked for it, or because the provider always sends it. In both cases these are the bytes for a client that
 * asks. (A client that does not ask gets no usage, because the gateway cannot know whether the provider would send it.)
 */
function asking({ streaming, path, expected }: Recording): object {
  const isChat = /\/(chat\/)?completions$/.test(path.split("?")[0]!)
  return streaming && isChat && expected.usage_found ? { stream: true, stream_options: { include_usage: true } } : {}
}

/** Responds with the recording that the request names: status, type and bytes, and event by event for a stream. */
async function startReplay(recordings: ReadonlyMap<string, Recording>) {
  const server = createServer(async (incoming, response) => {
    incoming.resume()
    const recording = recordings.get(String(incoming.headers["x-recording"]))!
    const bytes = bodyOf(recording)
    const pieces = recording.streaming ? piecesOf(recording) : [bytes]
    const length = recording.streaming || recording.expected.partial ? [] : ["content-length", String(bytes.length)]
    response.writeHead(recording.status, ["content-type", recording.content_type, ...length, ...headersOf(recording)])
    for (const piece of pieces) {
      response.write(piece)
      if (recording.streaming) await turn()
    }
    if (!recording.expected.partial) response.end()
    // The written bytes must leave before the connection breaks.
    else response.write("", () => response.socket?.end())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

const MAX_PIECES = 40

/**
 * Splits a stream into events or lines, or a long stream into several of them per piece. An AWS event stream is cut
 * anywhere.
 */
function piecesOf(recording: Recording): (string | Buffer)[] {
  const { response_body: text, response_body_base64 } = recording
  if (response_body_base64 !== undefined) {
    const bytes = bodyOf(recording)
    const size = Math.ceil(bytes.length / MAX_PIECES)
    return Array.from({ length: MAX_PIECES }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
  }
  const events = text.split(/(?<=\n\r?\n)|(?<=\n,\r?\n)/)
  const size = Math.ceil(events.length / MAX_PIECES)
  return Array.from({ length: Math.ceil(events.length / size) }, (_, at) =>
    events.slice(at * size, (at + 1) * size).join(""),
  )
}

/** A stream that reports no usage may be estimated. */
function sourceOf({ expected }: Recording, { source }: Reading): Reading["source"] {
  if (expected.usage_found) return "reported"
  return source === "estimated" ? "estimated" : "none"
}
