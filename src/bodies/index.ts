import type { Call } from "../core/call.ts"
import type { BodyStore, Log, Sink } from "./_store.ts"
import { MAX_INSPECTED_BYTES, type MemoryBudget, RunningCapture } from "./capture.ts"
import { RunningMessages } from "./messages.ts"
import { openPostgresSink } from "./postgres.ts"
import { parseRules } from "./redact.ts"
import type { S3Settings } from "./s3/client.ts"
import { type ClearBodyKeys, openS3Sink, type S3Timing } from "./s3.ts"

export type { BodyColumns, BodyStats, BodyStore } from "./_store.ts"

/** Limit on the captured bodies in memory, of all requests together. */
const BUDGET_BYTES = 64 << 20
/** Limit on one body in S3; in the database it is `logging.max_body_size`. */
const MAX_BODY_BYTES = 32 << 20

export interface BodyOptions {
  readonly storage: keyof typeof SINKS
  readonly storeRequestBody: boolean
  /** Whether a request with `X-Majordomo-Store-Bodies: false` is left out. */
  readonly clientOptOut: boolean
  readonly storeResponseBody: boolean
  /** `logging.max_body_size`: bytes per body in the database. */
  readonly maxBodyBytes: number
  /** `logging.redact`. */
  readonly redact: readonly string[]
  readonly s3: S3Settings
  /** Where uploads wait. Used by this process alone; created when it does not exist. */
  readonly dir: string
  /** Limit on what waits there. */
  readonly maxDiskBytes: number
  readonly syncIntervalMs: number
  readonly clearKeys: ClearBodyKeys
  readonly log: Log
  readonly budgetBytes?: number
  readonly timing?: Partial<S3Timing>
  /** The file of the upload thread. It is searched for when `undefined`; with `null`, uploads run in this thread. */
  readonly workerUrl?: URL | null
}

const SINKS = {
  none: undefined,
  postgres: async (options: BodyOptions): Promise<Sink> => openPostgresSink(options),
  s3: openS3Sink,
} as const

/** Opens the store of `logging.body_storage`. @throws CommandError when one of its settings is not valid */
export async function openBodyStore(options: BodyOptions): Promise<BodyStore> {
  const rules = parseRules(options.redact)
  const open = SINKS[options.storage]
  if (open === undefined) return NONE
  const sink = await open(options)
  const budget: MemoryBudget = { used: 0, max: options.budgetBytes ?? BUDGET_BYTES, truncated: 0 }
  const context = {
    sink,
    rules,
    storeRequest: options.storeRequestBody,
    storeResponse: options.storeResponseBody,
    maxBodyBytes: MAX_BODY_BYTES,
    // The database stores the beginning of a body. Redaction needs everything that it may search.
    maxReadBytes:
      options.storage === "s3" ? MAX_BODY_BYTES : Math.max(options.maxBodyBytes, rules.paths ? MAX_INSPECTED_BYTES : 0),
    budget,
  }
  const storesNothing = !context.storeRequest && !context.storeResponse
  const isLeftOut = (call: Call) => storesNothing || (options.clientOptOut && optsOut(call))
  return {
    name: sink.name,
    open(call, caller, messages) {
      if (isLeftOut(call)) return undefined
      return new RunningCapture(context, call, caller, messages)
    },
    openMessages: (call) => (isLeftOut(call) ? undefined : new RunningMessages(context)),
    stats: () => ({ ...sink.stats(), truncated: budget.truncated, memoryBytes: budget.used }),
    async drain(deadlineMs) {
      await sink.drain(deadlineMs)
      return { waiting: sink.stats().waiting }
    },
    close: () => sink.close(),
  }
}

function optsOut({ headers }: Call): boolean {
  const header = headers["x-majordomo-store-bodies"]
  return header !== undefined && /^\s*(?:false|no|off|0)\s*$/i.test(String(header))
}

const NONE: BodyStore = {
  name: "none",
  open: () => undefined,
  openMessages: () => undefined,
  stats: () => ({
    kept: 0,
    uploaded: 0,
    waiting: 0,
    dropped: 0,
    truncated: 0,
    lost: 0,
    memoryBytes: 0,
    diskBytes: 0,
    lastError: undefined,
  }),
  drain: async () => ({ waiting: 0 }),
  close: async () => {},
}
