import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { type LedgerHandle, type LedgerOptions, openLedger } from "../../src/database/ledger/ledger.ts"
import { openPostgres } from "../../src/database/open.ts"
import { uuidV7 } from "../../src/kit/uuid.ts"
import { postgresAt } from "../support/databases.ts"

export const KEY_ID = "0197a000-0000-7000-8000-000000000001"

/** Returns a row as the gateway makes it for an ordinary answer. */
export function aRecord(changes: Partial<LogRecord> = {}): LogRecord {
  return {
    id: uuidV7(Date.now()),
    majordomo_api_key_id: KEY_ID,
    provider_api_key_hash: "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    provider_api_key_alias: undefined,
    provider: "openai",
    model: "gpt-4o-mini-2024-07-18",
    requested_model: "gpt-4o-mini",
    request_path: "/v1/chat/completions",
    request_method: "POST",
    requested_at: "2026-11-20T10:00:00.000Z",
    responded_at: "2026-11-20T10:00:00.412Z",
    response_time_ms: 412,
    first_byte_ms: 398,
    input_tokens: 1000,
    cached_tokens: 400,
    cache_creation_tokens: 0,
    cache_creation_1h_tokens: 0,
    output_tokens: 500,
    reasoning_tokens: 0,
    input_cost: "0.00012",
    output_cost: "0.0003",
    total_cost: "0.00042",
    billing: undefined,
    cost_status: "exact",
    price: {
      lines: [
        {
          side: "input",
          bucket: "input",
          model: "gpt-4o-mini",
          quantity: 600,
          rate: "0.15",
          per: "million",
          factor: "1",
          amount: "0.00009",
          source: "genai-prices",
        },
      ],
    },
    usage: { prompt_tokens: 1000, completion_tokens: 500, prompt_tokens_details: { cached_tokens: 400 } },
    usage_source: "reported",
    dialect: "openai",
    status_code: 200,
    error_message: undefined,
    streamed: false,
    transport: undefined,
    websocket_id: undefined,
    outcome: "complete",
    source: undefined,
    provider_request_id: undefined,
    usage_key: undefined,
    raw_metadata: { "User-Id": "u-1", Feature: "chat" },
    request_body: undefined,
    response_body: undefined,
    s3_key: undefined,
    created_at: "2026-11-20T10:00:00.412Z",
    ...changes,
  }
}

export async function makeDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "mdm-ledger-"))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export async function connect(url: string): Promise<Database> {
  const db = await openPostgres(postgresAt(url, { maxConns: 4 }).postgres)
  onTestFinished(() => db.close())
  return db
}

export interface OpenedLedger extends LedgerHandle {
  readonly lines: string[]
}

/** Opens a ledger that is closed when the test ends. `lines` is what it logged. */
export async function openTestLedger(
  db: Database,
  dir: string,
  changes: Partial<LedgerOptions["settings"]> &
    Pick<LedgerOptions, "timing" | "onWritten" | "onAllWritten" | "onRecovered"> = {},
): Promise<OpenedLedger> {
  const { timing, onWritten, onAllWritten, onRecovered, ...settings } = changes
  const lines: string[] = []
  const ledger = await openLedger({
    db,
    dir,
    settings: { journal: true, syncIntervalMs: 100, maxJournalBytes: 1 << 30, whenFull: "drop", ...settings },
    now: Date.now,
    log: (level, line) => lines.push(`${level} ${line}`),
    timing,
    ...(onWritten && { onWritten }),
    ...(onAllWritten && { onAllWritten }),
    ...(onRecovered && { onRecovered }),
  })
  onTestFinished(() => ledger.close())
  return { ...ledger, lines }
}
