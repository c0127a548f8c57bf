import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import type { Database } from "../../src/database/_database.ts"
import { createPriceBook } from "../../src/pricing/price-book.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { startPipeline } from "./pipeline.ts"

/** Two clients: the one that creates jobs, and another one that only fetches them. */
export const CREATOR = { key: "mdm_sk_creator_0123456789abcdefghijkl", id: "0197a000-0000-7000-8000-00000000000a" }
export const FETCHER = { key: "mdm_sk_fetcher_0123456789abcdefghijkl", id: "0197a000-0000-7000-8000-00000000000b" }
const CALLERS = new Map([CREATOR, FETCHER].map(({ key, id }) => [hashKey(key), { keyId: id }]))

/** What the provider does with a request. */
export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** Starts a provider on the loopback interface, which stops when the test ends. Returns its origin. */
export async function startProvider(answer: Answer): Promise<string> {
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    answer(request, response, Buffer.concat(pieces).toString())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Sends a JSON answer. */
export function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}

interface JobGatewayOptions {
  readonly database: Database
  readonly provider: string
  readonly foreignJobs?: boolean
  /** The directory of its journals; several gateways on one machine share it. */
  readonly journals?: string
  readonly slot?: number
}

export type JobGateway = Awaited<ReturnType<typeof startJobGateway>>

/** Starts a gateway with a real ledger and real prices. It closes when the test ends. */
export async function startJobGateway(options: JobGatewayOptions) {
  const { database, provider, foreignJobs = false } = options
  const journals = options.journals ?? (await makeDirectory())
  const ledger = await openTestLedger(database, join(journals, String(options.slot ?? 1)))
  const book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  onTestFinished(() => book.close())
  const named = (format: Format) => ({ name: format, format, baseUrl: provider })
  const pipeline = await startPipeline({
    upstream: provider,
    providers: {
      openai: named("openai"),
      anthropic: named("anthropic"),
      gemini: named("gemini"),
      xai: { ...named("openai"), name: "xai" },
    },
    settings: { foreignJobs },
    findCaller: (hash) => CALLERS.get(hash),
    price: book.price,
    ledger,
  })
  onTestFinished(() => pipeline.close())
  return {
    origin: pipeline.origin,
    journals,
    ledger,
    /** Sends a request as one of the clients, and returns the text of the answer. */
    async send(
      method: string,
      path: string,
      {
        body,
        client = CREATOR,
        headers,
      }: { body?: unknown; client?: typeof CREATOR; headers?: Record<string, string> } = {},
    ): Promise<string> {
      const response = await fetch(pipeline.origin + path, {
        method,
        headers: { "content-type": "application/json", "x-majordomo-key": client.key, ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return response.text()
    },
    /** Waits until all rows are in the database. */
    async settle(): Promise<void> {
      const { drained } = await ledger.drain(180_000)
      if (!drained) throw new Error(`rows wait: ${ledger.stats().lastError}`)
    },
  }
}

export interface JobRow {
  readonly request_method: string
  readonly request_path: string
  readonly majordomo_api_key_id: string
  readonly model: string
  readonly total_cost: string | null
  readonly cost_status: string
  readonly input_tokens: string
  readonly output_tokens: string
  readonly raw_metadata: Record<string, string> | null
  readonly tier: string | null
}

/** Returns all rows in their order. */
export async function readRows(database: Database): Promise<readonly JobRow[]> {
  const { rows } = await database.query<JobRow>(`SELECT request_method, request_path, majordomo_api_key_id, model,
    trim_scale(total_cost)::text AS total_cost, cost_status, input_tokens::text, output_tokens::text, raw_metadata,
    price ->> 'tier' AS tier FROM llm_requests_full ORDER BY id`)
  return rows
}

/** Returns the sum of all costs, by the rows and by the rollups, which must agree. */
export async function readSums(database: Database): Promise<{ readonly rows: string; readonly rollups: string }> {
  const { rows } = await database.query<{ rows: string; rollups: string }>(`SELECT
    (SELECT trim_scale(coalesce(sum(total_cost), 0))::text FROM llm_requests) AS rows,
    (SELECT trim_scale(coalesce(sum(total_cost), 0))::text FROM llm_usage_hourly) AS rollups`)
  return rows[0]!
}
