import { createBackendStatements } from "./backend-statements.ts"
import { parseRows } from "./rows.ts"
import type { Session } from "./session.ts"
import { type Ask, createSessionSettings } from "./session-settings.ts"
import type { Unit } from "./unit.ts"
import { toCloseStatement, toMessage, toQuery } from "./wire.ts"

/**
 * The one PostgreSQL session behind all clients. It makes each client find its settings, prepared statements and LISTEN
 * channels as it left them. Clients still share session-level advisory locks, SQL-level PREPARE and temporary tables.
 */
interface SharedSession {
  /** Applies the client's settings, or the server's own when `session` is undefined. */
  applySettings(session: Session | undefined): Promise<void>
  /**
   * Returns the messages to put before the unit, so that the statements that it uses exist, and the types of the
   * replies that the client must not see.
   */
  prepare(
    session: Session,
    unit: Unit,
  ): { readonly before: readonly Buffer[]; readonly droppedTypes: readonly string[] }
  /** Reads what a statement changed in the session, whatever way it did so. */
  readChanges(session: Session): Promise<void>
  /** Removes what a client left behind. The client is no longer in `sessions`. */
  cleanUpAfter(session: Session): Promise<void>
}

const NO_SETTINGS: ReadonlyMap<string, string> = new Map()

export function createSharedSession(ask: Ask, sessions: ReadonlySet<Session>): SharedSession {
  const settings = createSessionSettings(ask)
  const statements = createBackendStatements(sessions)
  return {
    async applySettings(session) {
      if (await settings.apply(session?.settings ?? NO_SETTINGS)) statements.forgetUnnamed()
    },
    prepare(session, unit) {
      const { messages, replyTypes } = statements.prepare(session, unit)
      noteKinds(session, unit)
      return { before: messages, droppedTypes: unit.copies ? ["G", ...replyTypes] : replyTypes }
    },
    async readChanges(session) {
      session.isTouched = false
      statements.forgetUnnamed()
      session.settings = await settings.read()
      await matchChannels(ask, sessions)
    },
    async cleanUpAfter(session) {
      // Sync comes first, because after an error the backend skips everything until a Sync.
      if (session.status !== "I") await ask(toMessage("S"), toQuery("ROLLBACK"))
      const closes = [...session.prepared].map(toCloseStatement)
      if (closes.length > 0) await ask(...closes, toMessage("S"))
      if (session.hasTemporary) await ask(toQuery("DISCARD TEMP"))
      if (session.isTouched) settings.invalidate()
      if (session.channels.size > 0) await matchChannels(ask, sessions)
      statements.forgetUnnamed(session)
    },
  }
}

function noteKinds(session: Session, unit: Unit): void {
  for (const kind of unit.kinds) {
    session.isTouched ||= kind.touchesSession
    session.hasTemporary ||= kind.makesTemporary
    for (const channel of kind.listens) session.channels.add(channel)
    if (kind.unlistens.includes("*")) session.channels.clear()
    for (const channel of kind.unlistens) session.channels.delete(channel)
  }
}

/** Makes the backend listen on exactly the channels that some client listens on. */
async function matchChannels(ask: Ask, sessions: ReadonlySet<Session>): Promise<void> {
  const wanted = new Set([...sessions].flatMap(({ channels }) => [...channels]))
  const rows = parseRows(await ask(toQuery("SELECT pg_catalog.pg_listening_channels()")))
  const listening = new Set(rows.map(([channel]) => channel!))
  const changes = [
    ...[...wanted].filter((channel) => !listening.has(channel)).map((channel) => `LISTEN ${quoteName(channel)}`),
    ...[...listening].filter((channel) => !wanted.has(channel)).map((channel) => `UNLISTEN ${quoteName(channel)}`),
  ]
  if (changes.length > 0) await ask(toQuery(changes.join(";")))
}

const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`
