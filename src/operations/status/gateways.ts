import { type GatewayProcess, listProcesses } from "../../database/gateways.ts"
import type { Context } from "../context.ts"

/** A process of a gateway. Times are ISO 8601 in UTC. */
export interface ListedGateway {
  /** Its host, its process and its version. */
  readonly name: string
  readonly last_seen_at: string
  /** False: it has not been seen for more than 30 s. */
  readonly is_recent: boolean
  /** Null: it is of a version that does not say it. */
  readonly version: string | null
  readonly started_at: string | null
  /** The data directory with its host, which the workers of one gateway share. */
  readonly directory: string
}

const RECENT_MS = 30_000

/** Lists the processes of all gateways of a database, those of one gateway beside each other. */
export async function listRunning({ database, now }: Context<"database" | "now">): Promise<readonly ListedGateway[]> {
  const processes = await listProcesses(database)
  return processes.map((process) => toListed(process, now())).toSorted((a, b) => (a.directory < b.directory ? -1 : 1))
}

function toListed({ name, slot, startedAt, lastSeenAt }: GatewayProcess, now: number): ListedGateway {
  return {
    name,
    last_seen_at: lastSeenAt,
    is_recent: now - Date.parse(lastSeenAt) < RECENT_MS,
    version: / version (\S+)$/.exec(name)?.[1] ?? null,
    started_at: startedAt ?? null,
    directory: slot.replace(/[/\\]journal[/\\]\d+$/, ""),
  }
}
