import type { Database } from "../_database.ts"
import { describeOutage } from "../failures.ts"
import { createLagMeter } from "./lag.ts"
import { type Position, readPosition } from "./position.ts"
import type { Problem } from "./report.ts"

interface Servers {
  readonly primary: Database
  readonly replica: Database
}

interface Compared {
  /** Undefined: reports may read the replica. */
  readonly problem: Problem | undefined
  /** Undefined: it is not known. */
  readonly lagMs: number | undefined
  /** The state of both servers; undefined for a replica that does not answer. */
  readonly positions: { readonly primary: Position; readonly replica: Position } | undefined
}

/** A replica that does not answer in this time is away: its readers could have had their answers from the primary. */
export const ANSWER_MS = 2_000

/**
 * Creates the comparison of a replica with its primary. It returns undefined when the primary does not answer: nothing is
 * known of the replica then, and whoever asks the primary learns what is wrong with it.
 */
export function createComparison({ primary, replica }: Servers, maxLagMs: number): () => Promise<Compared | undefined> {
  const measure = createLagMeter()
  let wasBehind = false

  async function findProblem(ours: Position, theirs: Position): Promise<Problem | undefined> {
    if (ours.identity !== theirs.identity) {
      return { code: "other_database", message: "is a server of another database" }
    }
    if (!theirs.isStandby) {
      return { code: "no_standby", message: "is no standby: it was promoted, or it is the primary itself" }
    }
    // A standby that follows another primary may have replayed what ours has never written.
    const ourEnd = theirs.wal <= ours.wal ? ours : await readPosition(primary, ANSWER_MS).catch(() => ours)
    if (theirs.timeline > ours.timeline || theirs.wal > ourEnd.wal) {
      return { code: "other_database", message: "follows another primary than this database" }
    }
    if (ours.schema !== theirs.schema) {
      const version = theirs.schema === undefined ? "no schema" : `the schema of version ${theirs.schema}`
      return { code: "other_schema", message: `has ${version}, and the primary that of version ${ours.schema}` }
    }
    return undefined
  }

  function findLag(lagMs: number): Problem | undefined {
    // It is used again well below the limit, so that it does not come and go.
    wasBehind = lagMs > (wasBehind ? maxLagMs / 2 : maxLagMs)
    if (!wasBehind) return undefined
    return { code: "behind", message: `is ${formatLag(lagMs)} behind (storage.postgres.read_max_lag)` }
  }

  return async () => {
    const [ours, theirs] = await Promise.all([
      readPosition(primary, ANSWER_MS).catch(() => undefined),
      readPosition(replica, ANSWER_MS).catch(describeOutage),
    ])
    if (ours === undefined) return undefined
    if (typeof theirs === "string") {
      return { problem: { code: "away", message: theirs }, lagMs: undefined, positions: undefined }
    }
    const problem = await findProblem(ours, theirs)
    const positions = { primary: ours, replica: theirs }
    if (problem !== undefined) return { problem, lagMs: undefined, positions }
    const lagMs = measure(ours, theirs)
    return { problem: findLag(lagMs), lagMs: Number.isFinite(lagMs) ? lagMs : undefined, positions }
  }
}

/** Formats a lag for people, such as `0.25 s`. */
function formatLag(ms: number): string {
  if (!Number.isFinite(ms)) return "an unknown time"
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`
}
