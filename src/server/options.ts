import type { Settings } from "../config/settings.ts"
import type { LogRecord } from "../core/log-record.ts"
import type { Database } from "../database/_database.ts"
import type { NewKey } from "../database/key-rows.ts"
import type { Metric } from "./prometheus.ts"

export interface ServerOptions {
  readonly settings: Settings
  log(level: "info" | "warn" | "error", line: string): void
  /** Called after each row was handed to the ledger. It must be fast. */
  onRecord(record: LogRecord): void
  /** Creates the key that is shown once, in place of the key `Default`. */
  firstKey?(database: Database): Promise<NewKey | undefined>
  /** Set when this process is one of several workers behind a port that their primary process has bound. */
  readonly worker?: {
    readonly port: number
    /**
     * Returns the metrics of all processes, given those of this process.
     * @param isScrape whether they are for Prometheus, which gets new samples as 0 first (`metrics/zero-start.ts`)
     */
    collectAll(own: readonly Metric[], isScrape: boolean): Promise<readonly Metric[]>
    /** How many of the workers are not up, as far as this one knows. */
    missing(): number
  }
}
