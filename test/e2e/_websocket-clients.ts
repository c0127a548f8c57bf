import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { connect } from "node:net"
import { createServer } from "node:tls"
import { fileURLToPath } from "node:url"
import pg from "pg"
import { expect } from "vitest"
import { type FakeSessions, startFakeSessions } from "../support/fake-provider/sockets.ts"
import { createInstallation, type RunningGateway, type Settings } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"

const readTls = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8")

/** The authority that signed the certificate of `tlsOrigin`. */
export const AUTHORITY = readTls("authority.crt")
export const AUTHORITY_FILE = fileURLToPath(new URL("../fixtures/tls/authority.crt", import.meta.url))

/** The usage of a response with text and sound, of which parts were cached. */
export const REALTIME_USAGE = {
  total_tokens: 260,
  input_tokens: 200,
  output_tokens: 60,
  input_token_details: {
    ...{ text_tokens: 120, audio_tokens: 80, image_tokens: 0, cached_tokens: 50 },
    cached_tokens_details: { text_tokens: 20, audio_tokens: 30, image_tokens: 0 },
  },
  output_token_details: { text_tokens: 20, audio_tokens: 40 },
}
/** 100 × 4 + 20 × 0.4 + 50 × 32 + 30 × 0.4 + 20 × 16 + 40 × 64 USD per million. */
export const REALTIME_COST = 0.0049

/** The members of a row that the tests of WebSocket clients compare. */
export interface SessionRow extends Readonly<Record<string, unknown>> {
  readonly id: string
  readonly websocket_id: string | null
  readonly raw_metadata: Readonly<Record<string, string>>
}

/** A gateway that holds a provider's key, and a provider of sessions that accepts only that key. */
export interface SessionHouse {
  readonly gateway: RunningGateway
  readonly provider: FakeSessions
  /** The gateway's key. It is the only one that clients have. */
  readonly key: string
  /** `https://localhost:PORT`: a reverse proxy in front of the gateway, because some clients use TLS in any case. */
  readonly tlsOrigin: string
  /** Waits for this many rows that no earlier call returned, oldest first. Each must be of the key. */
  nextRows(count: number): Promise<SessionRow[]>
  close(): Promise<void>
}

/** Starts a gateway with a key of this provider in its vault. With `usesTls`, the provider uses TLS. */
export async function openSessionHouse(
  provider: "openai" | "azure" | "gemini",
  { usesTls = false, settings = {} }: { readonly usesTls?: boolean; readonly settings?: Settings } = {},
): Promise<SessionHouse> {
  const secret = `${provider}-${randomBytes(16).toString("hex")}`
  const sessions = await startFakeSessions({
    secret,
    ...(usesTls ? { tls: { key: readTls("server.key"), cert: readTls("server.crt") } } : {}),
  })
  const { url } = await createTestDatabase()
  const installation = createInstallation({
    DATABASE_URL: url,
    [`MAJORDOMO_PROVIDERS_${provider.toUpperCase()}_BASE_URL`]: usesTls
      ? `https://localhost:${sessions.port}`
      : sessions.origin,
    NODE_EXTRA_CA_CERTS: AUTHORITY_FILE,
    MAJORDOMO_VAULT_KEY: randomBytes(32).toString("base64"),
    MAJORDOMO_PRICING_REMOTE_URL: "",
    ...settings,
  })
  const { id, key } = (await installation.runJson(["keys", "create", "--name", "Sessions"])) as Record<
    "id" | "key",
    string
  >
  expect(await installation.run(["provider-keys", "add", provider], {}, secret)).toMatchObject({ code: 0 })
  const gateway = await installation.serve()
  const proxy = await startTlsProxy(gateway.port)
  const database = new pg.Client({ connectionString: url })
  await database.connect()
  const seen = new Set<string>()

  return {
    gateway,
    provider: sessions,
    key,
    tlsOrigin: proxy.origin,
    nextRows: (count) =>
      until(async () => {
        const query = "SELECT to_jsonb(r) AS row FROM llm_requests r ORDER BY requested_at, created_at, id"
        const { rows } = await database.query<{ readonly row: SessionRow }>(query)
        const fresh = rows.map(({ row }) => row).filter((row) => !seen.has(row.id))
        expect(fresh).toHaveLength(count)
        for (const row of fresh) {
          seen.add(row.id)
          expect(row["majordomo_api_key_id"]).toBe(id)
        }
        return fresh
      }),
    async close() {
      proxy.close()
      await installation.remove()
      await database.end()
      await sessions.close()
    },
  }
}

async function startTlsProxy(port: number): Promise<{ readonly origin: string; close(): void }> {
  const server = createServer({ key: readTls("server.key"), cert: readTls("server.crt") }, (client) => {
    const behind = connect(port, "127.0.0.1")
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      from.on("error", () => to.destroy()).pipe(to)
      from.on("close", () => to.destroy())
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  }
}

/** Expects that all rows came on one WebSocket, which is their run as the client named no session. */
export function expectOneSession(rows: readonly SessionRow[]): void {
  const [first] = rows
  expect(first?.websocket_id).toBe(first?.id)
  for (const row of rows) {
    expect(row).toMatchObject({ transport: "websocket", websocket_id: first!.id, streamed: true })
    expect(row.raw_metadata["Session-Id"]).toBe(first!.id)
  }
}
