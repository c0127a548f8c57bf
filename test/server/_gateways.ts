import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { vi } from "vitest"
import { callLocally, type LocalCaller } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import type { Limit } from "../../src/core/limit.ts"
import type { Database } from "../../src/database/_database.ts"
import { insertLimit, type NewLimit } from "../../src/database/limits.ts"
import { openPostgres } from "../../src/database/open.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { type RunningServer, startServer } from "../../src/server/start.ts"
import { postgresAt } from "../support/databases.ts"
import { type FakeProvider, type Script, startFakeProvider, type Tokens } from "../support/fake-provider.ts"
import { createTestDatabase } from "../support/postgres.ts"

export const WAIT = { timeout: 120_000, interval: 20 }

/** How often the SDKs of OpenAI and Anthropic repeat a request that was rejected. */
const SDK_RETRIES = 2

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
  readonly script?: Script
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Three gateways of one database. */
export interface Gateways {
  readonly servers: readonly RunningServer[]
  readonly provider: FakeProvider
  /** What each of them has logged. */
  readonly logs: readonly string[][]
  readonly database: Database
  readonly sql: pg.Client
  /** For `callLocally`. */
  readonly caller: LocalCaller
  /** Sends a request to one of the gateways, and reads its answer. */
  ask(gateway: number, asked?: Asked): Promise<Answered>
  /** Sends a request as an SDK does: waits as long as Retry-After says, unless it is told not to repeat it. */
  askLikeSdk(gateway: number, asked?: Asked): Promise<Answered>
  /** Creates a limit for the requests of a team, and waits until each gateway knows it. */
  limit(team: string, limit: Partial<NewLimit>): Promise<Limit>
  /** Waits until the rows of all answered requests are in the database. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** @param upstream the address of a provider; default: the fake provider's */
export async function startGateways(upstream?: string): Promise<Gateways> {
  const dirs: string[] = []
  const provider = await startFakeProvider()
  const { url } = await createTestDatabase()
  const database = await openPostgres(postgresAt(url, { maxConns: 4 }).postgres)
  const sql = new pg.Client({ connectionString: url })
  await sql.connect()

  async function settingsOfNewDirectory() {
    const dir = mkdtempSync(join(tmpdir(), "mdm-gateways-"))
    dirs.push(dir)
    const env = {
      DATABASE_URL: url,
      MAJORDOMO_STORAGE_DATA_DIR: dir,
      MAJORDOMO_SERVER_PORT: "0",
      MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: upstream ?? provider.origin,
    }
    return (await loadSettings({ cwd: dir, env })).settings
  }

  const servers: RunningServer[] = []
  const logs: string[][] = []
  for (let i = 0; i < 3; i++) {
    const settings = await settingsOfNewDirectory()
    const lines: string[] = []
    logs.push(lines)
    const log = (level: string, line: string) => void lines.push(`${level} ${line}`)
    servers.push(await startServer({ settings, log, onRecord: () => {} }))
  }
  const caller: LocalCaller = {
    settings: await settingsOfNewDirectory(),
    log: () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
    now: Date.now,
    actor: { kind: "command", name: "root", role: "admin", id: null, address: null },
  }
  const { key } = await callLocally(keys.create, caller, { name: "app" })

  async function ask(gateway: number, { headers = {}, body = {}, script }: Asked = {}): Promise<Answered> {
    const response = await fetch(`http://127.0.0.1:${servers[gateway]!.port}/v1/chat/completions`, {
      method: "POST",
      headers: {
        Authorization: "Bearer sk-test-0123456789",
        "X-Majordomo-Key": key,
        "Content-Type": "application/json",
        ...(script && { "X-Fake-Provider": JSON.stringify(script) }),
        ...headers,
      },
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }], ...body }),
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  const parts = { servers, provider, logs, database, sql, caller, ask }
  return {
    ...parts,
    async askLikeSdk(gateway, asked) {
      for (let left = SDK_RETRIES; ; left--) {
        const answer = await ask(gateway, asked)
        if (answer.status !== 429 || left === 0 || answer.headers.get("x-should-retry") === "false") return answer
        const seconds = Number(answer.headers.get("retry-after") ?? 0.5)
        await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
      }
    },
    async limit(team, given) {
      const fixed = { name: `limit of ${team}`, measure: "requests", amount: "10", window: "total" } as const
      const created = await insertLimit(database.query, { ...fixed, where: { Team: team }, ...given })
      await untilHeard(parts)
      return created
    },
    settled: () => vi.waitFor(() => servers.forEach(expectSettled), WAIT),
    async close() {
      await Promise.all(servers.map((server) => server.stop()))
      await database.close()
      await sql.end()
      await provider.close()
      for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
    },
  }
}

function expectSettled(server: RunningServer): void {
  const { accepted, written } = server.stats()
  if (accepted !== written) throw new Error(`${accepted - written} rows wait`)
}

let changes = 0

/** Waits until each gateway has read all limits again: it then knows a new limit of requests that nobody else sends. */
export async function untilHeard({
  database,
  servers,
  ask,
}: Pick<Gateways, "database" | "ask"> & { readonly servers: readonly unknown[] }): Promise<void> {
  const name = `change-${++changes}`
  const probe = { name, measure: "requests", amount: "1000", window: "total", where: { Probe: name } } as const
  await insertLimit(database.query, probe)
  await vi.waitFor(async () => {
    for (const gateway of servers.keys()) {
      const { headers } = await ask(gateway, { headers: { "X-Majordomo-Probe": name } })
      if (!headers.get("x-majordomo-limit-remaining")?.startsWith(`${name}=`)) throw new Error("not heard yet")
    }
  }, WAIT)
}

/** The price of gpt-4o-mini in nano-USD. */
export function costOf({ input, output }: Pick<Tokens, "input" | "output">): number {
  return input * 150 + output * 600
}
