import { existsSync } from "node:fs"
import { join } from "node:path"
import { toChannelPath } from "./channel-variables.ts"
import { findGoVariableReplacement, isNoSetting } from "./go-compat.ts"
import { findNearest } from "./nearest.ts"
import { PROVIDER_SETTINGS } from "./providers.ts"
import { listRows, toVariable } from "./rows.ts"
import { type Notes, type SourcedValue, toProblemLine } from "./sources.ts"

export type Variables = Readonly<Record<string, string | undefined>>

/**
 * Reads the gateway's own variables of `.env` in the working directory. The file often belongs to another program, so
 * its other variables, such as `DATABASE_URL`, are not read. `process.env` does not change.
 */
export async function readDotenv(cwd: string, notes: Notes): Promise<Variables> {
  if (!existsSync(join(cwd, ".env"))) return {}
  const { loadDotenv } = await import("c12")
  const variables = await loadDotenv({ cwd, fileName: ".env", interpolate: false, env: {} })
  if (variables["DATABASE_URL"]) {
    notes.warnings.push(
      "DATABASE_URL in .env is not read: set MAJORDOMO_STORAGE_POSTGRES_URL there, or DATABASE_URL in the environment",
    )
  }
  return Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith("MAJORDOMO_")))
}

/** Finds the settings among variables. `from.file` is the file that the variables came from. */
export function readVariables(
  variables: Variables,
  from: { readonly dir: string; readonly file?: string; readonly providers: Iterable<string> },
  notes: Notes,
): SourcedValue[] {
  const paths = new Map(listRows().map(({ variable, path }) => [variable, path]))
  const found: SourcedValue[] = []
  for (const [variable, value] of Object.entries(variables)) {
    if (value === undefined || !variable.startsWith("MAJORDOMO_") || isNoSetting(variable, value)) continue
    const path = paths.get(variable) ?? toProviderPath(variable, from.providers) ?? toChannelPath(variable)
    const instead = findGoVariableReplacement(variable)
    const source = from.file === undefined ? variable : `${variable} in ${from.file}`
    if (path !== undefined) found.push({ path, value, source, dir: from.dir })
    else if (instead !== undefined) {
      notes.warnings.push(`${source} is a setting of the Go gateway and has no effect here: ${instead}`)
    } else {
      const meant = findNearest(variable, paths.keys())
      const where = from.file ?? "environment"
      notes.problems.push(toProblemLine(variable, where, `unknown setting${meant ? `; did you mean ${meant}?` : ""}`))
    }
  }
  return found
}

/** `MAJORDOMO_PROVIDERS_MY_LLM_BASE_URL` -> `providers.my_llm.base_url`, or `my-llm` when a file uses that name. */
function toProviderPath(variable: string, known: Iterable<string>): string | undefined {
  for (const key of Object.keys(PROVIDER_SETTINGS)) {
    const name = new RegExp(`^MAJORDOMO_PROVIDERS_([A-Z0-9_]+)_${key.toUpperCase()}$`).exec(variable)?.[1]
    if (name === undefined) continue
    const existing = [...known].find((each) => toVariable(each) === `MAJORDOMO_${name}`)
    return `providers.${existing ?? name.toLowerCase()}.${key}`
  }
  return undefined
}
