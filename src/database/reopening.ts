import { CommandError } from "../core/errors.ts"
import type { Database, Query, RunQuery } from "./_database.ts"
import { toErrorCode } from "./failures.ts"

/** Error codes that mean that no server listens, so the statement was not sent. */
const NOT_SENT = new Set(["ENOENT", "ECONNREFUSED"])
const LOST = /Connection terminated|Client has encountered a connection error/i
const LOST_CODES = new Set(["ECONNRESET", "EPIPE", "57P01"])
/** Statements that may run twice. */
const READS = /^\s*(?:select|show|values)\b/i
const MAX_ATTEMPTS = 5

/**
 * Creates a Database for a command that may outlive the gateway whose embedded database it uses. When the gateway ends,
 * the next statement goes to the directory's next owner, which may be this command. A statement that was running is
 * repeated only if it reads. Otherwise it may or may not have taken effect, and the error says so.
 */
export async function createReopening(open: () => Promise<Database>): Promise<Database> {
  const first = await open()
  /** Undefined when the connection was lost and no new one could be opened yet. */
  let current: Database | undefined = first
  let reopening: Promise<Database> | undefined

  const reopen = (lost: Database | undefined): Promise<Database> => {
    if (current !== undefined && lost !== current) return Promise.resolve(current)
    reopening ??= (async () => {
      current = undefined
      await lost?.close()
      current = await open()
      return current
    })().finally(() => {
      reopening = undefined
    })
    return reopening
  }

  async function attempt<T>(work: (database: Database) => Promise<T>, mayRepeat: boolean): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      const database: Database = (await reopening) ?? current ?? (await reopen(undefined))
      try {
        return await work(database)
      } catch (error) {
        const code = toErrorCode(error) ?? ""
        const isUnsent = NOT_SENT.has(code)
        const isLost = isUnsent || LOST_CODES.has(code) || (error instanceof Error && LOST.test(error.message))
        if (!isLost) throw error
        if (attempts === MAX_ATTEMPTS || !(isUnsent || mayRepeat)) throw toLostError()
        await reopen(database)
      }
    }
  }

  const query: RunQuery = <Row>(statement: Query | string) =>
    attempt((database) => database.query<Row>(statement), READS.test(toText(statement)))

  return {
    kind: first.kind,
    title: first.title,
    query,
    transaction: (work) => attempt((database) => database.transaction(work), false),
    listen: (channel, on) => attempt((database) => database.listen(channel, on), true),
    close: async () => ((await reopening?.catch(() => undefined)) ?? current)?.close(),
  }
}

const toText = (statement: Query | string): string => (typeof statement === "string" ? statement : statement.text)

function toLostError(): CommandError {
  return new CommandError(
    "the gateway that owned the embedded database ended while this command ran, so the command may or may not have taken effect: check, and run it again if it has not",
  )
}
