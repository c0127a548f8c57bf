import { join } from "node:path"
import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import { freeLeasesOfSlot } from "../database/leases.ts"
import type { LateListener } from "../database/ledger/late.ts"
import { type Recovery, startRecovery } from "../database/ledger/recovery.ts"
import type { Scope } from "../kit/scope.ts"
import { type BodyRecovery, startBodyRecovery } from "./bodies.ts"
import type { ServerOptions } from "./options.ts"
import { toSlotName } from "./slot.ts"

/** The directory with one journal slot per process. */
export const toJournalRoot = ({ storage }: Settings): string => join(storage.dataDir, "journal")

interface RecoveryParts extends Pick<ServerOptions, "settings" | "log">, LateListener {
  readonly database: Database
}

/**
 * Starts to recover the rows and bodies that ended processes left behind. The scope closes both recoveries. Of several
 * processes with one data directory, only the main process does this.
 */
export function startRecoveries(
  { settings, log, database, onLate }: RecoveryParts,
  scope: Scope,
): { readonly rows: Recovery; readonly bodies: BodyRecovery } {
  const root = toJournalRoot(settings)
  const onRecovered = async (dir: string) => {
    // Otherwise they expire by themselves.
    await freeLeasesOfSlot(database, { slot: toSlotName(dir), except: undefined }).catch(() => {})
  }
  const rows = startRecovery({ db: database, root, settings: settings.ledger, now: Date.now, log, onLate, onRecovered })
  scope.own(() => rows.close())
  const bodies = startBodyRecovery({ settings, log, database })
  scope.own(() => bodies.close())
  return { rows, bodies }
}
