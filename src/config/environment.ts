import { existsSync } from "node:fs"
import { join } from "node:path"
import { isGoGatewayVariable, isNoSetting } from "./go-compat.ts"
import { findNearest } from "./nearest.ts"
import { PROVIDER_SETTINGS } from "./providers.ts"
import { listRows, toVariable } from "./rows.ts"
import { type Notes, type SourcedValue, toProblemLine } from "./sources.ts"

export type Variables = Readonly<Record<string, string | undefined>>

/** Reads the variables of `.env` in the working directory. `process.env` does not change. */
export async function readDotenv(cwd: string): Promise<Variables> {
  if (!existsSync(join(cwd, ".env"))) return {}
  const { loadDotenv } = await import("c12")
  return { ...(await loadDotenv({ cwd, fileName: ".env", interpolate: false, env: {} })) }
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
    const path = paths.get(variable) ?? toProviderPath(variable, from.providers)
    const source = from.file === undefined ? variable : `${variable} in ${from.file}`
    if (path !== undefined) found.push({ path, value, source, dir: from.dir })
    else if (isGoGatewayVariable(variable)) {
      notes.warnings.push(`${source} is a setting of the Go gateway and has no effect here`)
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
