import type { LedgerStats } from "../../database/ledger/ledger.ts"
import type { Metric } from "../prometheus.ts"

/** A message from the primary process to a worker. */
export type ToWorker =
  /**
   * `version` is the primary process's. The settings are those that it has loaded, as `v8.serialize` writes them, in
   * base64.
   */
  | { readonly type: "start"; readonly version: string; readonly port: number; readonly settings: string }
  | { readonly type: "stop" }
  /** How many of the workers are not up. Sent when the number changes. */
  | { readonly type: "missing"; readonly count: number }
  /** Asks for the worker's metrics. */
  | { readonly type: "collect"; readonly id: number }
  /** The response to `collect-all`. */
  | { readonly type: "collected-all"; readonly id: number; readonly metrics: readonly Metric[] }

/** A message from a worker to the primary process. */
export type ToPrimary =
  /** The worker handles messages now. Messages sent before may be lost. */
  | { readonly type: "online" }
  | {
      readonly type: "ready"
      readonly host: string
      readonly port: number
      readonly modelCount: number
      /** The directory of its journal. */
      readonly slot: string
    }
  /** The worker cannot start, for a reason that it can show to people. */
  | { readonly type: "failed"; readonly message: string }
  /** The response to `collect`. */
  | { readonly type: "collected"; readonly id: number; readonly metrics: readonly Metric[] }
  /** Asks for the metrics of all processes, for Prometheus if it `isScrape`. */
  | { readonly type: "collect-all"; readonly id: number; readonly isScrape: boolean }
  /** The numbers of the worker's rows, sent from time to time, so that they are known if it dies. */
  | { readonly type: "counted"; readonly stats: LedgerStats }
  /** The final numbers of a worker that has stopped by itself. */
  | { readonly type: "stopped"; readonly stats: LedgerStats; readonly metrics: readonly Metric[] }
