import type { LedgerStats } from "../../database/ledger/ledger.ts"
import type { Metric } from "../prometheus.ts"

/** What the primary process says to a worker. */
export type ToWorker =
  | { readonly say: "start"; readonly port: number }
  | { readonly say: "stop" }
  | { readonly say: "collect"; readonly id: number }
  /** The answer to `asking`. */
  | { readonly say: "all"; readonly id: number; readonly metrics: readonly Metric[] }

/** What a worker says to the primary process. */
export type ToPrimary =
  /** It listens to messages: what was sent before may be lost. */
  | { readonly say: "hello" }
  | { readonly say: "ready"; readonly host: string; readonly port: number; readonly modelCount: number }
  /** It cannot start, for a reason that a person can understand. */
  | { readonly say: "refused"; readonly message: string }
  | { readonly say: "collected"; readonly id: number; readonly metrics: readonly Metric[] }
  /** It was asked for the metrics of the whole gateway. */
  | { readonly say: "asking"; readonly id: number }
  | { readonly say: "stopped"; readonly stats: LedgerStats }
