import type { RunQuery } from "./_database.ts"

/** Makes other gateways that compare the stored limits with their configuration wait until the transaction ends. */
export async function lockConfiguredLimits(query: RunQuery): Promise<void> {
  await query("SELECT pg_advisory_xact_lock(7680, 9)")
}
