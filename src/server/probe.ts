import { statfs } from "node:fs/promises"
import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import { type Ability, explainReadOnly, readAbility } from "../database/ability.ts"
import { describeOutage } from "../database/failures.ts"
import type { LedgerStats } from "../database/ledger/ledger.ts"
import type { ReplicaState } from "../database/replica/replica.ts"
import { MIN_FREE_BYTES } from "../operations/doctor/directory.ts"
import type { Probe, ReadinessWarning } from "./app.ts"

const TIMEOUT_MS = 3_000
/** Shorter waits for the database are part of its ordinary work. */
const STALL_MS = 3_000
const MAX_LIST_AGE_MS = 7 * 86_400_000

export interface ProbeOptions {
  readonly settings: Settings
  readonly database: Database
  stats(): LedgerStats
  /** When the price list that was fetched the longest ago was fetched; undefined if none is fetched. */
  pricesCheckedAt(): number | undefined
  /** The state of the replica; undefined if there is none. */
  replica?(): ReplicaState | undefined
  isStopping(): boolean
  /** How many of several processes behind the port are not up. */
  missingWorkers?(): number
}

/**
 * Creates the readiness probe. The gateway is ready unless it stops, its database does not answer or accepts no rows, or
 * it must reject requests because the journal is full. Everything else is a warning: a client needs none of it, and no
 * other gateway could do better. Probes at the same time share one query.
 */
export function createProbe(options: ProbeOptions): Probe {
  const { settings, database, stats, isStopping } = options
  let running: Promise<Ability | string> | undefined

  /** Returns a text that says why the database cannot be asked, without its host and user, if it cannot. */
  function ask(): Promise<Ability | string> {
    running ??= readAbility(database.query, TIMEOUT_MS)
      .catch(describeOutage)
      .finally(() => {
        running = undefined
      })
    return running
  }

  function findError(ability: Ability | string, ledger: LedgerStats): string | undefined {
    const rows = ledger.waiting === 1 ? "1 row waits" : `${ledger.waiting} rows wait`
    if (typeof ability === "string") return `the database (${database.kind}) ${ability}; ${rows}`
    const readOnly = explainReadOnly(ability)
    if (readOnly) return `the database (${database.kind}) does not accept rows: ${readOnly.reason}; ${rows}`
    const limitMs = settings.server.notReadyAfterMs
    const stalledMs = toStalledMs(ledger)
    if (limitMs !== undefined && stalledMs >= limitMs)
      return `no row could be written for ${toSeconds(stalledMs)} (${reasonOf(ledger)}); ${rows}`
    if (settings.ledger.whenFull === "block" && isNearlyFull(ledger, settings))
      return `the journal is full, and requests are rejected; ${rows}`
    return undefined
  }

  return {
    async check() {
      if (isStopping()) return { error: "the gateway is shutting down", warnings: [] }
      const missing = options.missingWorkers?.() ?? 0
      if (missing > 0) return { error: `${missing} of the processes behind the port are not up yet`, warnings: [] }
      const [ability, disk] = await Promise.all([ask(), findDiskWarning(settings.storage.dataDir)])
      const ledger = stats()
      const warnings = [
        ...findSchemaWarnings(ability),
        ...findLedgerWarnings(ledger, settings),
        ...disk,
        ...findPriceWarning(options.pricesCheckedAt()),
        ...findReplicaWarning(options.replica?.()),
      ]
      return { error: findError(ability, ledger), warnings }
    },
  }
}

function findSchemaWarnings(ability: Ability | string): ReadinessWarning[] {
  if (typeof ability === "string") return []
  const { idleTriggers, alterations } = ability
  const warnings: ReadinessWarning[] = []
  if (idleTriggers.length > 0) {
    const message = `triggers of the database do not run (${idleTriggers.join(", ")}), so reports miss new rows`
    const fix = "enable them, then run majordomo-gateway verify --repair"
    warnings.push({ code: "triggers_disabled", message: `${message}: ${fix}` })
  }
  if (alterations.length > 0) {
    const message = `the schema of the database was changed by hand, so reports may be wrong (${alterations.join("; ")})`
    warnings.push({ code: "schema_altered", message: `${message}: see majordomo-gateway doctor` })
  }
  return warnings
}

function findLedgerWarnings(ledger: LedgerStats, settings: Settings): ReadinessWarning[] {
  const warnings: ReadinessWarning[] = []
  const stalledMs = toStalledMs(ledger)
  if (stalledMs >= STALL_MS) {
    const message = `no row could be written for ${toSeconds(stalledMs)} (${reasonOf(ledger)}); ${ledger.waiting} wait, see the log`
    warnings.push({ code: "rows_stalled", message })
  }
  if (isNearlyFull(ledger, settings)) {
    const message = `the journal holds ${ledger.journalBytes} of ${settings.ledger.maxJournalBytes} bytes (ledger.max_journal_size)`
    warnings.push({ code: "journal_full", message })
  }
  return warnings
}

const toStalledMs = ({ stalledSince }: LedgerStats) => (stalledSince === undefined ? 0 : Date.now() - stalledSince)

/**
 * Returns why no row can be written. An error is shown by its code: its message can name the database's host and user,
 * and whoever reaches the port may read the answer. The log has it whole.
 */
function reasonOf({ lastError }: LedgerStats): string {
  return lastError?.split(": ", 1)[0] ?? "the database is slow"
}

const toSeconds = (ms: number) => `${Math.round(ms / 1000)} s`

function isNearlyFull({ journalBytes }: LedgerStats, { ledger }: Settings): boolean {
  return journalBytes > ledger.maxJournalBytes - ledger.maxJournalBytes / 8
}

async function findDiskWarning(dir: string): Promise<ReadinessWarning[]> {
  const found = await statfs(dir).catch(() => undefined)
  if (found === undefined || found.bavail * found.bsize >= MIN_FREE_BYTES) return []
  const free = Math.round((found.bavail * found.bsize) / 2 ** 20)
  return [{ code: "disk_low", message: `the disk of storage.data_dir has only ${free} MiB free` }]
}

function findPriceWarning(checkedAt: number | undefined): ReadinessWarning[] {
  if (checkedAt === undefined || Date.now() - checkedAt < MAX_LIST_AGE_MS) return []
  const since = new Date(checkedAt).toISOString().slice(0, 10)
  return [{ code: "prices_old", message: `a price list could not be fetched since ${since}: see the log` }]
}

function findReplicaWarning(replica: ReplicaState | undefined): ReadinessWarning[] {
  if (replica?.problem === undefined) return []
  const message = `the replica (storage.postgres.read_url) ${replica.problem}: reports are read from the primary`
  return [{ code: "replica_unused", message }]
}
