import type { LogRecord } from "../../core/log-record.ts"
import { EMPTY_RECORD } from "../../core/row-columns.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Database } from "../_database.ts"
import { INSERT_ROWS } from "./insert.ts"
import { toLine } from "./serialize.ts"

const TIMEOUT_MS = 5000

/** Returns whether the database takes a row at this moment. It inserts an ordinary one and takes it back. */
export async function takesRows(db: Database): Promise<boolean> {
  try {
    await db.transaction(async (query) => {
      await query("SAVEPOINT probe")
      await query({ text: INSERT_ROWS, values: [`[${toLine(makeProbe())}]`], timeoutMs: TIMEOUT_MS })
      await query("ROLLBACK TO SAVEPOINT probe")
    })
    return true
  } catch {
    return false
  }
}

function makeProbe(): LogRecord {
  const now = Date.now()
  const time = new Date(now).toISOString()
  return {
    ...EMPTY_RECORD,
    id: uuidV7(now),
    majordomo_api_key_id: undefined,
    provider: "majordomo",
    model: "",
    request_path: "",
    request_method: "",
    requested_at: time,
    responded_at: time,
    created_at: time,
    outcome: "complete",
  }
}
