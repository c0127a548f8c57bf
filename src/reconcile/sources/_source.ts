import type { Bill } from "../../core/reconciliation.ts"
import type { Proxies } from "../../kit/proxy/proxies.ts"

export type SourceProvider = "openai" | "anthropic" | "openrouter"

/** Whole UTC days, such as `2026-11-01`. `until` is the day after the last one. */
export interface DayRange {
  readonly since: string
  readonly until: string
}

export interface SourceOptions {
  /** The admin key of the account. */
  readonly credential: string
  /** The base URL of the API, with or without `/v1` at its end. */
  readonly baseUrl?: string | undefined
  /** Only these projects of OpenAI. */
  readonly projects?: readonly string[] | undefined
  /** Only these workspaces of Anthropic. */
  readonly workspaces?: readonly string[] | undefined
  /** Only these API keys, by the provider's ids. */
  readonly keys?: readonly string[] | undefined
  /** The proxies through which the provider is reached. */
  readonly proxies?: Proxies | undefined
  readonly fetch?: typeof globalThis.fetch | undefined
  /** The time for one answer with its body. */
  readonly timeoutMs?: number | undefined
  /** The time in milliseconds since the epoch. */
  readonly now?: (() => number) | undefined
  /** Waits before a request is repeated. Rejects when the signal is aborted. */
  readonly wait?: ((ms: number, signal: AbortSignal | undefined) => Promise<void>) | undefined
}

/** Reads the bills of one account. */
export interface BillSource {
  /**
   * Reads the usage and the costs of the days. The current day is read until now.
   * @throws SourceError if the provider does not answer as expected; the signal's reason if it is aborted
   */
  fetchBill(range: DayRange, onProgress?: (text: string) => void, signal?: AbortSignal): Promise<Bill>
}

/** What the readers of one bill share. */
export interface Reading {
  readonly range: DayRange
  /** The time in milliseconds since the epoch. */
  readonly now: number
  readonly options: SourceOptions
  readonly get: (path: string, query: Query) => Promise<Answer>
  readonly report: (text: string) => void
  /** Adds a sentence about what the provider does not say. */
  readonly note: (sentence: string) => void
}

/** The parameters of a request. A list is sent as `name[]=a&name[]=b`, as the official SDKs do. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

export interface Answer {
  readonly body: Readonly<Record<string, unknown>>
  /** The provider's id of the account, if the answer says it. */
  readonly account: string | undefined
}

/** The words with which errors name a provider and its credential. */
export interface ProviderWords {
  readonly name: string
  /** The setting and the environment variable. */
  readonly setting: string
  /** Such as `admin key`. */
  readonly keyKind: string
  /** How such a key begins; undefined if it cannot be told from other keys. */
  readonly keyPrefix: string | undefined
  /** How a key for models begins, which is often given by mistake. */
  readonly modelKeyPrefix: string | undefined
  /** Where to create such a key. */
  readonly createAt: string
  /** Which right the key needs, as a whole sentence. */
  readonly right: string
}
