import { parseRows } from "./rows.ts"
import { toQuery } from "./wire.ts"

/** Sends messages of the multiplexer itself to the backend and returns the complete response. */
export type Ask = (...messages: readonly Buffer[]) => Promise<Buffer>

/** Setting values by name. */
type SettingValues = ReadonlyMap<string, string>

/** The settings of the backend's one session, which change with the client that uses it. */
interface SessionSettings {
  /** Applies a client's settings. Does nothing when they are in effect already. Returns true when it changed any. */
  apply(wanted: SettingValues): Promise<boolean>
  /** Reads the settings that differ from the server's. */
  read(): Promise<SettingValues>
  /** Notes that the settings in effect are not known. */
  invalidate(): void
}

const NO_SETTINGS: SettingValues = new Map()
const CHANGED_SETTINGS = "SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'session'"

export function createSessionSettings(ask: Ask): SessionSettings {
  /** The settings in effect that differ from the server's. Undefined when they are not known. */
  let applied: SettingValues | undefined = NO_SETTINGS
  return {
    async apply(wanted) {
      if (applied && isSame(applied, wanted)) return false
      if (applied?.size !== 0) await ask(toQuery("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"))
      for (const [name, value] of wanted) {
        // One statement each, so that a value that the server rejects does not undo the others.
        await ask(toQuery(`SELECT pg_catalog.set_config(${quote(name)}, ${quote(value)}, false)`))
      }
      applied = wanted
      return true
    },
    async read() {
      applied = undefined
      const rows = parseRows(await ask(toQuery(CHANGED_SETTINGS)))
      applied = new Map(rows.map(([name, setting]) => [name!, setting ?? ""]))
      return applied
    },
    invalidate() {
      applied = undefined
    },
  }
}

function isSame(one: SettingValues, other: SettingValues): boolean {
  return one === other || (one.size === other.size && [...one].every(([name, value]) => other.get(name) === value))
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
