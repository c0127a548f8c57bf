import { randomUUID } from "node:crypto"
import type { Database } from "../_database.ts"

/** How long another process waits for one that has ended without giving the lease back. */
const LEASE_SECONDS = 60
const RENEW_MS = 15_000
const TIMEOUT_MS = 10_000

/** The right to write the archive, which one process has at a time. */
export interface ArchiveLease {
  readonly holder: string
  /** Makes sure that the lease is held for another minute. @throws Error if another process has it */
  renew(): Promise<void>
  release(): Promise<void>
}

/**
 * Takes the lease and renews it every 15 s.
 * @returns the name of the process that has it, if another one does
 */
export async function takeArchiveLease(
  db: Database,
  name: string,
): Promise<ArchiveLease | { readonly heldBy: string }> {
  const holder = randomUUID()
  const take = async () => {
    const { rows } = await db.query({
      text: `INSERT INTO majordomo_archive_lease AS l (one, holder, name, until)
        VALUES (true, $1, $2, clock_timestamp() + make_interval(secs => ${LEASE_SECONDS}))
        ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, name = excluded.name, until = excluded.until
        WHERE l.holder = excluded.holder OR l.until < clock_timestamp() RETURNING holder`,
      values: [holder, name],
      timeoutMs: TIMEOUT_MS,
    })
    return rows.length > 0
  }
  if (!(await take())) {
    const { rows } = await db.query<{ name: string }>("SELECT name FROM majordomo_archive_lease")
    return { heldBy: rows[0]?.name ?? "another process" }
  }
  // A renewal that fails is repeated before a file is published.
  const timer = setInterval(() => void take().catch(() => {}), RENEW_MS).unref()
  return {
    holder,
    async renew() {
      if (!(await take()))
        throw new Error("another process has taken over the archive, because this one was not heard for a minute")
    },
    async release() {
      clearInterval(timer)
      await db.query({
        text: "DELETE FROM majordomo_archive_lease WHERE holder = $1",
        values: [holder],
        timeoutMs: TIMEOUT_MS,
      })
    },
  }
}
