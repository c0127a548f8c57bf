import { parseRows } from "./backend-output.ts"
import type { Engine } from "./engine.ts"
import type { Session } from "./session.ts"
import type { Unit } from "./unit.ts"
import { toMessage, toQuery } from "./wire.ts"

/**
 * The one PostgreSQL session behind all clients, and which client's things are in it: settings, prepared statements,
 * LISTEN. Each client finds them as it left them. Still shared: session-level advisory locks, SQL-level PREPARE,
 * temporary tables.
 */
export interface SharedSession {
  /** Puts the client's settings in place. Undefined: the server's own. */
  applySettings(session: Session | undefined): Promise<void>
  /** Messages to put before the unit, so that the statements it uses are there, and the types of their answers. */
  prepare(session: Session, unit: Unit): { readonly again: readonly Buffer[]; readonly swallow: readonly string[] }
  /** After a statement that may have touched the session: reads what it did, however it did it. */
  learn(session: Session): Promise<void>
  /** Takes out what a client left behind. It is no longer in `sessions`. */
  cleanUpAfter(session: Session): Promise<void>
}

const HOUSEKEEPING_LIMIT_MS = 30_000
const NONE: ReadonlyMap<string, string> = new Map()

export function createSharedSession(engine: Engine, sessions: ReadonlySet<Session>): SharedSession {
  /** The settings that the backend has now beside the server's; undefined: nobody knows. */
  let applied: ReadonlyMap<string, string> | undefined = NONE
  /** Who made the unnamed statement that the backend has now. */
  let unnamedOf: Session | undefined

  const ask = (...messages: Buffer[]) => answerOf(engine, Buffer.concat(messages), HOUSEKEEPING_LIMIT_MS)

  const own = (session: Session, name: string) => {
    if (name === "") unnamedOf = session
    else session.known.add(name)
  }

  function note(session: Session, unit: Unit): void {
    for (const name of unit.makes) own(session, name)
    for (const name of unit.drops) {
      if (name === "") unnamedOf = undefined
      else session.known.delete(name)
    }
    for (const kind of unit.kinds) {
      session.isTouched ||= kind.touchesSession
      session.hasTemporary ||= kind.makesTemporary
      for (const channel of kind.listens) session.channels.add(channel)
      if (kind.unlistens.includes("*")) session.channels.clear()
      for (const channel of kind.unlistens) session.channels.delete(channel)
      if (!kind.forgetsStatements) continue
      unnamedOf = undefined
      for (const each of sessions) each.known.clear()
    }
  }

  /** The backend listens on exactly the channels that some client listens on. */
  async function matchChannels(): Promise<void> {
    const wanted = new Set([...sessions].flatMap(({ channels }) => [...channels]))
    const rows = parseRows(await ask(toQuery("SELECT pg_catalog.pg_listening_channels()")))
    const listening = new Set(rows.map(([channel]) => channel!))
    const changes = [
      ...[...wanted].filter((channel) => !listening.has(channel)).map((channel) => `LISTEN ${quoteName(channel)}`),
      ...[...listening].filter((channel) => !wanted.has(channel)).map((channel) => `UNLISTEN ${quoteName(channel)}`),
    ]
    if (changes.length > 0) await ask(toQuery(changes.join(";")))
  }

  return {
    async applySettings(session) {
      const wanted = session?.settings ?? NONE
      if (applied && isSame(applied, wanted)) return
      unnamedOf = undefined
      if (applied?.size !== 0) await ask(toQuery("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"))
      for (const [name, value] of wanted) {
        // One at a time: a value that the server refuses must not take the others with it.
        await ask(toQuery(`SELECT pg_catalog.set_config(${quote(name)}, ${quote(value)}, false)`))
      }
      applied = wanted
    },
    prepare(session, unit) {
      const again: Buffer[] = []
      const swallow = unit.copies ? ["G"] : []
      for (const [name, parse] of unit.uses) {
        if (!parse || (name === "" ? unnamedOf === session : session.known.has(name))) continue
        again.push(toMessage("C", "S", `${name}\0`), parse)
        swallow.push("3", "1")
        own(session, name)
      }
      note(session, unit)
      return { again, swallow }
    },
    async learn(session) {
      session.isTouched = false
      unnamedOf = undefined
      applied = undefined
      const sql = "SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session'"
      const rows = parseRows(await ask(toQuery(sql)))
      session.settings = new Map(rows.map(([name, setting]) => [name!, setting ?? ""]))
      applied = session.settings
      await matchChannels()
    },
    async cleanUpAfter(session) {
      // Sync first: after an error the backend skips everything until then.
      if (session.status !== "I") await ask(toMessage("S"), toQuery("ROLLBACK"))
      const closes = [...session.known].map((name) => toMessage("C", "S", `${name}\0`))
      if (closes.length > 0) await ask(...closes, toMessage("S"))
      if (session.hasTemporary) await ask(toQuery("DISCARD TEMP"))
      if (session.isTouched) applied = undefined
      if (session.channels.size > 0) await matchChannels()
      if (unnamedOf === session) unnamedOf = undefined
    },
  }
}

/** The backend's whole answer to messages of our own. */
export async function answerOf(engine: Engine, messages: Buffer, limitMs: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  const keep = (chunk: Buffer) => {
    pieces.push(chunk)
    return undefined
  }
  await engine.run(messages, keep, limitMs)
  return Buffer.concat(pieces)
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one === other || (one.size === other.size && [...one].every(([name, value]) => other.get(name) === value))
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`
