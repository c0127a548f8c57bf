import type { RunQuery } from "../database/_database.ts"
import { recordChange } from "../database/access/audit.ts"
import { countBodiesInS3, countPrunable, findPruneDate, prune } from "../database/prune.ts"
import type { Context } from "./context.ts"

interface PruneInput {
  /** Requests that ended longer ago than this many milliseconds are pruned, by whole days of UTC. */
  readonly olderThanMs: number
  /** Empties the bodies and keeps the requests. */
  readonly bodiesOnly: boolean
  /** Counts and changes nothing. */
  readonly dryRun: boolean
}

export interface PruneResult {
  /** The midnight (ISO 8601, UTC) before which requests are pruned: earlier than asked for if the archive lacks a day. */
  readonly before: string
  readonly requests: number
  /** Partitions of the table that had only such requests and were dropped whole. */
  readonly partitions_dropped: number
  readonly bodies_only: boolean
  readonly dry_run: boolean
  /** Requests whose bodies are in S3. They stay there: a lifecycle rule of the bucket has to delete them. */
  readonly bodies_left_in_s3: number
}

/** Deletes old requests, or only their bodies in the database. The totals of reports stay as they are. */
export async function pruneRequests(
  { database, actor, now, onProgress }: Context<"database" | "actor" | "now" | "onProgress">,
  { olderThanMs, bodiesOnly, dryRun }: PruneInput,
): Promise<PruneResult> {
  const choice = { olderThan: now() - olderThanMs, bodiesOnly }
  const bodiesInS3 = await countBodiesInS3(database, choice)
  const before = (await findPruneDate(database, choice)).toISOString()
  const onStart = (query: RunQuery, total: number) =>
    recordChange(query, actor, {
      action: "prune",
      target: null,
      after: { before, requests: total, bodies_only: bodiesOnly },
    })
  const { requests, partitions } = dryRun
    ? { requests: await countPrunable(database, choice), partitions: 0 }
    : await prune(database, choice, onProgress, onStart)
  return {
    before,
    requests,
    partitions_dropped: partitions,
    bodies_only: bodiesOnly,
    dry_run: dryRun,
    bodies_left_in_s3: bodiesInS3,
  }
}
