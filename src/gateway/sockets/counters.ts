import type { Side } from "./watcher.ts"

/**
 * Why a session ended. `key`: its key was revoked, or is no longer allowed. `rejected`: a turn could not be rejected in any
 * other way. `shutdown`: the gateway stops.
 */
export type SessionEnd = "client" | "provider" | "idle" | "age" | "key" | "rejected" | "shutdown"

type PerSide = Record<Side, number>

/** The counters of all sessions of one gateway. They are changed in place, because each message passes them. */
export interface SocketCounters {
  /** The sessions that are open. */
  open: number
  readonly ends: Record<SessionEnd, number>
  /** Whole messages, by the side that sent them, and their bytes after decompression. */
  readonly messages: PerSide
  readonly bytes: PerSide
  /** Messages that were passed on and not read. */
  readonly unread: PerSide
}

export function createSocketCounters(): SocketCounters {
  return {
    open: 0,
    ends: { client: 0, provider: 0, idle: 0, age: 0, key: 0, rejected: 0, shutdown: 0 },
    messages: { client: 0, provider: 0 },
    bytes: { client: 0, provider: 0 },
    unread: { client: 0, provider: 0 },
  }
}
