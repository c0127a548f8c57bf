import type { BodyStore, Log, Sink } from "./_store.ts"
import { type Budget, MAX_INSPECTED_BYTES, RunningCapture } from "./capture.ts"
import { openPostgresSink } from "./postgres.ts"
import { parseRules } from "./redact.ts"
import type { S3Settings } from "./s3/client.ts"
import { type ClearBodyKeys, openS3Sink, type S3Timing } from "./s3.ts"

export type { BodyColumns, BodyStats, BodyStore, Capture, Log, ResponseHead } from "./_store.ts"

/** Bytes of captured bodies that wait in memory, of all requests together. */
const BUDGET_BYTES = 64 << 20
/** Of one body; in the database it is `logging.max_body_size`. */
const MAX_BODY_BYTES = 32 << 20

export interface BodyOptions {
  readonly storage: StoreName
  readonly storeRequestBody: boolean
  readonly storeResponseBody: boolean
  /** `logging.max_body_size`: bytes per body in the database. */
  readonly maxBodyBytes: number
  /** `logging.redact`. */
  readonly redact: readonly string[]
  readonly s3: S3Settings
  /** Where uploads wait: of this process alone, made if it is not there. */
  readonly dir: string
  /** Of what waits there. */
  readonly maxDiskBytes: number
  readonly syncIntervalMs: number
  readonly forget: ClearBodyKeys
  readonly log: Log
  readonly budgetBytes?: number
  readonly timing?: Partial<S3Timing>
  /** The uploader's file; undefined: it is looked for. null: uploads run in this thread. */
  readonly workerUrl?: URL | null
}

const SINKS = {
  none: undefined,
  postgres: async (options: BodyOptions): Promise<Sink> => openPostgresSink(options),
  s3: openS3Sink,
} as const

export type StoreName = keyof typeof SINKS

/** Opens the store of `logging.body_storage`. @throws CommandError when a setting of it cannot be */
export async function openBodyStore(options: BodyOptions): Promise<BodyStore> {
  const rules = parseRules(options.redact)
  const open = SINKS[options.storage]
  if (open === undefined) return NONE
  const sink = await open(options)
  const budget: Budget = { used: 0, max: options.budgetBytes ?? BUDGET_BYTES, cuts: 0 }
  const to = {
    sink,
    rules,
    storeRequest: options.storeRequestBody,
    storeResponse: options.storeResponseBody,
    maxBodyBytes: MAX_BODY_BYTES,
    // The database keeps the beginning; rules need all that they may look into.
    maxReadBytes:
      options.storage === "s3" ? MAX_BODY_BYTES : Math.max(options.maxBodyBytes, rules.paths ? MAX_INSPECTED_BYTES : 0),
    budget,
  }
  const isIdle = !to.storeRequest && !to.storeResponse
  return {
    name: sink.name,
    open(call, caller) {
      const wish = call.headers["x-majordomo-store-bodies"]
      if (isIdle || (wish !== undefined && /^\s*(?:false|no|off|0)\s*$/i.test(String(wish)))) return undefined
      return new RunningCapture(to, call, caller)
    },
    stats: () => ({ ...sink.stats(), truncated: budget.cuts, memoryBytes: budget.used }),
    async drain(deadlineMs) {
      await sink.drain(deadlineMs)
      return { waiting: sink.stats().waiting }
    },
    close: () => sink.close(),
  }
}

const NONE: BodyStore = {
  name: "none",
  open: () => undefined,
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
