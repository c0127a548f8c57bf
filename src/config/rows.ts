import { type ProviderCatalog, toProviderSettings } from "./providers.ts"
import { SETTINGS, type Setting } from "./settings.ts"

interface SettingRow {
  readonly path: string
  readonly variable: string
  readonly setting: Setting<unknown>
}

/** Lists every setting outside of `providers`, in the order of the table. */
export function listRows(): readonly SettingRow[] {
  return flatten("", SETTINGS)
}

/** Creates a function that finds the setting of a path, including the settings of any provider. */
export function createRowFinder(catalog: ProviderCatalog): (path: string) => Setting<unknown> | undefined {
  const rows = new Map(listRows().map((row) => [row.path, row.setting]))
  const ofProvider = toProviderSettings(catalog)
  return (path) => {
    const key = /^providers\.[^.]+\.([^.]+)$/.exec(path)?.[1]
    if (key === undefined) return rows.get(path)
    return Object.hasOwn(ofProvider, key) ? ofProvider[key] : undefined
  }
}

/** Converts a path to its variable: `storage.postgres.host` -> `MAJORDOMO_STORAGE_POSTGRES_HOST`. */
export function toVariable(path: string): string {
  return `MAJORDOMO_${path.replace(/[.-]/g, "_").toUpperCase()}`
}

export function isSetting(node: object): node is Setting<unknown> {
  return "parser" in node && "doc" in node
}

function flatten(prefix: string, group: object): SettingRow[] {
  return Object.entries(group).flatMap(([key, node]: [string, object]) => {
    const path = prefix + key
    return isSetting(node) ? [{ path, variable: toVariable(path), setting: node }] : flatten(`${path}.`, node)
  })
}
