import type { Call, Caller } from "../core/call.ts"
import type { Cost, PriceQuery } from "../core/cost.ts"
import type { RequestLimits } from "../core/limit-reservation.ts"
import type { Ledger, LogIntent } from "../core/log-record.ts"
import type { MessageCapture, TakenMessages } from "../core/message-capture.ts"
import type { ModelBounds } from "../core/model-bounds.ts"
import type { ProviderCredential, UnsignedRequest } from "../core/provider-credential.ts"
import type { Countable, Reading } from "../core/usage.ts"
import type { SpillDirectory } from "../kit/spill-file.ts"
import type { Dialect } from "../providers/_dialect.ts"
import type { Format, Provider } from "../providers/catalog.ts"
import type { BodyCapture } from "./body-capture.ts"
import type { RecordedRequest } from "./proxied-request.ts"
import type { GatewaySettings } from "./settings.ts"

/** Stores the rows of requests. */
interface RequestLedger extends Ledger {
  /**
   * Notes that a request is about to be forwarded: its row follows by `append`, unless this process is killed first.
   * Never throws.
   */
  recordIntent?(intent: LogIntent, onKept: () => void): void
  /** True when new requests must be rejected because their rows could not be stored (`ledger.when_full: block`). */
  isFull(): boolean
}

/**
 * Everything that the pipeline needs from outside, as functions, so that tests run it without a server and a database.
 */
export interface Deps {
  readonly settings: GatewaySettings
  readonly providers: Readonly<Record<string, Provider>>
  readonly dialects: Readonly<Record<Format, Dialect>>
  /**
   * Finds the API key with this hash; undefined if there is none.
   * @throws when the key is not in memory and the database cannot be reached
   */
  findCaller(keyHash: string): Caller | undefined | Promise<Caller | undefined>
  /**
   * Finds the credential that the gateway holds for a provider and a client; undefined if there is none. It answers at once
   * from memory, as a rule.
   * @throws GatewayError `no_provider_credential`, `provider_key_removed`, `vault_unavailable`
   */
  findCredential?(
    provider: string,
    caller: Caller,
  ): ProviderCredential | undefined | Promise<ProviderCredential | undefined>
  /**
   * Returns the headers to send instead: those of the request, with what its credential needs (a signature, an access
   * token). Only for credentials that are not sent as they are.
   */
  authorize?(credential: ProviderCredential, request: UnsignedRequest): Promise<string[]>
  /** Takes the `Date` of an answer in which AWS rejected a signed request: the clock of this machine may be wrong. */
  noteAwsDate?(date: string | undefined): void
  price(query: PriceQuery): Cost
  /** The limits of requests; undefined: there are none. */
  readonly limits?: RequestLimits
  /** Returns a number that differs whenever prices may have changed. `at` is in milliseconds since the epoch. */
  pricesVersion?(at: number): number
  /** Returns the most tokens that a model of a provider reads and writes. */
  boundsOf?(provider: string, model: string): ModelBounds
  /**
   * Lists the models that a client may use at a provider, for answers that the gateway gives itself. undefined: such
   * requests are forwarded.
   * @param hasCredential whether the client has a credential of the provider itself
   */
  listModels?(provider: Provider, caller: Caller, hasCredential: boolean): readonly string[] | undefined
  /** The directory for spill files of large request bodies; undefined: all bodies stay in memory. */
  readonly spill?: SpillDirectory
  /** A spill file could not be written. Must not throw. */
  onSpillError?(error: unknown): void
  /**
   * Starts the capture of a request's bodies; undefined: they are not stored.
   * @param messages of a turn of a WebSocket: what is stored as the request's body
   */
  openBodies?(call: Call, caller: Caller, messages?: TakenMessages): BodyCapture | undefined
  /** Starts to keep the messages of a WebSocket's client; undefined: they are not stored. */
  openMessages?(call: Call): MessageCapture | undefined
  /**
   * Counts the text of an interrupted answer with the tokenizer of its model; undefined: the text cannot be counted.
   * Never rejects.
   */
  countText?(countable: Countable): Promise<Reading | undefined>
  readonly ledger: RequestLedger
  /** Each is called once per recorded request, after the ledger and in this order. A subscriber must be quick. */
  readonly subscribers: readonly ((request: RecordedRequest) => void)[]
  isStopping(): boolean
  /** Reports a bug or a fault of the machine. Must not throw; `error` never contains a secret. */
  onError(error: unknown, where: string): void
}
