import type { Call, Caller, LogIntent, LogRecord, RawHeaders } from "../core/call.ts"
import type { Cost, PriceQuery } from "../core/cost.ts"
import type { Countable, Reading } from "../core/usage.ts"
import type { SpillDirectory } from "../kit/spill-file.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { Format, Provider } from "../providers/catalog.ts"

/** The settings that the pipeline reads; times in ms, sizes in bytes. */
export interface GatewaySettings {
  readonly readTimeoutMs: number
  readonly writeTimeoutMs: number
  readonly maxBodyBytes: number
  readonly connectTimeoutMs: number
  readonly firstByteTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
  readonly maxConnectionAgeMs: number
  readonly injectStreamUsage: boolean
  readonly maxMetadataKeys: number
  readonly maxMetadataValueLength: number
}

/** Keeps the bodies of one request; `finish` is called once, whatever happened. */
export interface BodyCapture {
  /** A piece of the answer's body as the client gets it. */
  push(bytes: Buffer): void
  /** What was pushed is void: the provider is asked again. */
  restart(): void
  /** The columns of the row that say where the bodies are. Never throws. */
  finish(answer: {
    readonly statusCode: number
    readonly headers: RawHeaders
  }): Partial<Pick<LogRecord, "request_body" | "response_body" | "s3_key">>
}

/** All that the pipeline needs of the world, as functions: a test runs it with no server and no database. */
export interface Deps {
  readonly settings: GatewaySettings
  readonly providers: Readonly<Record<string, Provider>>
  readonly dialects: Readonly<Record<Format, Dialect>>
  /** Throws when the key is not in memory and cannot be looked up now. */
  findCaller(keyHash: string): Caller | undefined | Promise<Caller | undefined>
  price(question: PriceQuery): Cost
  /** Where large bodies wait; undefined: in memory. */
  readonly spill?: SpillDirectory
  /** Begins to keep the bodies of a request; undefined: they are not wanted. */
  openBodies?(call: Call, caller: Caller): BodyCapture | undefined
  /** The request is about to be forwarded; its row will come by `record`, unless this process dies. Never throws. */
  recordIntent?(start: LogIntent): void
  /** Counts the text of a cut answer with its model's tokenizer, soon; undefined: not counted. Never rejects. */
  countText?(countable: Countable): Promise<Reading | undefined>
  /** Takes the row; never throws, never waits. `onKept` is called when it cannot be lost any more (see `Ledger`). */
  record(record: LogRecord, onKept: () => void, when: "soon" | "now"): void
  /** True when new requests must be refused because rows could not be kept (`ledger.when_full: block`). */
  isLedgerFull(): boolean
  isStopping(): boolean
  /** A bug, or trouble worth a line; never holds a secret. */
  onError(error: unknown, where: string): void
}
