import { join } from "node:path"
import { type BodyStats, type BodyStore, openBodyStore } from "../bodies/index.ts"
import { hasWaitingBodies } from "../bodies/s3/files.ts"
import type { Settings } from "../config/settings.ts"
import type { Database } from "../database/_database.ts"
import type { Lock } from "../kit/lock.ts"
import { recoverSlots } from "../kit/log/slots.ts"
import { claimOwnSlot } from "./slot.ts"

interface BodyOwner {
  readonly settings: Settings
  readonly database: Database
  log(level: "info" | "warn" | "error", line: string): void
}

/** Opens the store of bodies. What waits for S3 is in a directory that this process alone owns. */
export async function openBodies(owner: BodyOwner): Promise<BodyStore> {
  if (toStorage(owner.settings) !== "s3") return openStore(owner, "")
  const slot = await claimOwnSlot(toRoot(owner.settings))
  return releaseOnClose(await openStore(owner, slot.dir), slot.lock)
}

export interface BodyRecovery {
  /** The sums over all recovered directories, including those that are finished; `undefined` when there was none. */
  stats(): BodyStats | undefined
  close(): Promise<void>
}

/** Uploads the bodies of processes that have ended and whose slot no other process has claimed. */
export function startBodyRecovery(owner: BodyOwner): BodyRecovery {
  if (toStorage(owner.settings) !== "s3") return { stats: () => undefined, close: async () => {} }
  const recovered: BodyStore[] = []
  const recovery = recoverSlots({
    root: toRoot(owner.settings),
    isOrphaned: hasWaitingBodies,
    async open({ dir }) {
      const store = await openStore(owner, dir)
      recovered.push(store)
      return store
    },
    onError: (error) => owner.log("error", `abandoned bodies cannot be recovered: ${error.message}`),
  })
  return {
    // Bodies that still wait in a finished directory are counted by the process that recovers it next.
    stats: () =>
      addBodyStats(
        recovered.map((store, i) => (i === recovered.length - 1 ? store.stats() : withoutWaiting(store.stats()))),
      ),
    close: () => recovery.close(),
  }
}

function openStore({ settings, log, database }: BodyOwner, dir: string): Promise<BodyStore> {
  const { logging, s3, ledger } = settings
  return openBodyStore({
    storage: toStorage(settings),
    storeRequestBody: logging.storeRequestBody,
    clientOptOut: logging.clientOptOut,
    storeResponseBody: logging.storeResponseBody,
    maxBodyBytes: logging.maxBodyBytes,
    redact: logging.redact,
    s3,
    dir,
    maxDiskBytes: ledger.maxJournalBytes,
    syncIntervalMs: ledger.syncIntervalMs,
    async clearKeys(ids) {
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

function releaseOnClose(store: BodyStore, lock: Lock): BodyStore {
  return {
    ...store,
    async close() {
      await store.close()
      await lock.release()
    },
  }
}

function withoutWaiting(stats: BodyStats): BodyStats {
  return { ...stats, kept: stats.kept - stats.waiting, waiting: 0, diskBytes: 0, lastError: undefined }
}

/** Adds the numbers of several stores; `undefined` when none has any. */
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
