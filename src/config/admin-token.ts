import type { Notes, SourcedValue } from "./sources.ts"

const PATH = "admin.token"

/**
 * Adds `ADMIN_TOKEN`, the variable of the Go gateway, if `admin.token` is not set. A token that could be guessed is left out
 * with a warning, because the configuration of a Go gateway must not stop the program.
 */
export function readAdminToken(
  sourced: readonly SourcedValue[],
  variable: string | undefined,
  notes: Notes,
): readonly SourcedValue[] {
  const isSet = sourced.some(({ path, value }) => path === PATH && value !== "")
  const all =
    isSet || !variable ? sourced : [...sourced, { path: PATH, value: variable, source: "ADMIN_TOKEN", dir: "" }]
  return all.filter(({ path, value, source }) => {
    if (path !== PATH || value === "" || /^[\x21-\x7e]{16,}$/.test(String(value))) return true
    const name = source === "ADMIN_TOKEN" ? source : `${PATH} (${source})`
    notes.warnings.push(`${name} has no effect: it needs at least 16 characters, and no spaces`)
    return false
  })
}
