import { join } from "node:path"
import { type BodyStats, type BodyStore, openBodyStore } from "../bodies/index.ts"
import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import type { Lock } from "../kit/lock.ts"
import { claimSlot, recoverSlots } from "../kit/log/slots.ts"
import type { ServerOptions } from "./options.ts"

type BodyOwner = Pick<ServerOptions, "settings" | "log"> & { readonly database: Database }

/** What waits for S3 waits in a directory that is this process's alone. */
export async function openBodies(owner: BodyOwner): Promise<BodyStore> {
  if (toStorage(owner.settings) !== "s3") return open(owner, "")
  const place = await claimSlot(toRoot(owner.settings))
  return releasing(await open(owner, place.dir), place.lock)
}

export interface BodyRecovery {
  /** Of all that was taken over, finished ones too; undefined: nothing was. */
  stats(): BodyStats | undefined
  close(): Promise<void>
}

/** Brings the bodies to S3 that processes left behind whose place nobody has taken. */
export function startBodyRecovery(owner: BodyOwner): BodyRecovery {
  if (toStorage(owner.settings) !== "s3") return { stats: () => undefined, close: async () => {} }
  const adopted: BodyStore[] = []
  const adopting = recoverSlots({
    root: toRoot(owner.settings),
    isOrphaned: (names) => names.some((name) => /\.(seg|large|part)$/.test(name)),
    async open({ dir }) {
      const store = await open(owner, dir)
      adopted.push(store)
      return store
    },
    onError: (error) => owner.log("error", `trouble while looking for bodies left behind: ${error.message}`),
  })
  return {
    // What still waits when a place is let go is counted again by whoever adopts it next.
    stats: () =>
      addBodyStats(adopted.map((store, i) => (i === adopted.length - 1 ? store.stats() : toSettled(store.stats())))),
    close: () => adopting.close(),
  }
}

function open({ settings, log, database }: BodyOwner, dir: string): Promise<BodyStore> {
  const { logging, s3, ledger } = settings
  return openBodyStore({
    storage: toStorage(settings),
    storeRequestBody: logging.storeRequestBody,
    storeResponseBody: logging.storeResponseBody,
    maxBodyBytes: logging.maxBodyBytes,
    redact: logging.redact,
    s3,
    dir,
    maxDiskBytes: ledger.maxJournalBytes,
    syncIntervalMs: ledger.syncIntervalMs,
    async forget(ids) {
      const text = "UPDATE llm_requests SET s3_key = NULL WHERE id = ANY($1::uuid[]) RETURNING id"
      return (await database.query<{ id: string }>({ text, values: [ids] })).rows.map(({ id }) => id)
    },
    log,
  })
}

function toStorage({ logging, s3 }: Settings): Settings["logging"]["bodyStorage"] {
  return logging.bodyStorage === "none" && s3.enabled ? "s3" : logging.bodyStorage
}

function toRoot({ storage }: Settings): string {
  return join(storage.dataDir, "bodies")
}

function releasing(store: BodyStore, lock: Lock): BodyStore {
  return {
    ...store,
    async close() {
      await store.close()
      await lock.release()
    },
  }
}

/** What still waits is counted again by whoever adopts it next. */
function toSettled(stats: BodyStats): BodyStats {
  return { ...stats, kept: stats.kept - stats.waiting, waiting: 0, diskBytes: 0, lastError: undefined }
}

export function addBodyStats(all: readonly (BodyStats | undefined)[]): BodyStats | undefined {
  return all.reduce<BodyStats | undefined>((sum, stats) => {
    if (sum === undefined || stats === undefined) return sum ?? stats
    return {
      kept: sum.kept + stats.kept,
      uploaded: sum.uploaded + stats.uploaded,
      waiting: sum.waiting + stats.waiting,
      dropped: sum.dropped + stats.dropped,
      truncated: sum.truncated + stats.truncated,
      lost: sum.lost + stats.lost,
      memoryBytes: sum.memoryBytes + stats.memoryBytes,
      diskBytes: sum.diskBytes + stats.diskBytes,
      lastError: sum.lastError ?? stats.lastError,
    }
  }, undefined)
}
