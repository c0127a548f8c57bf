import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, extname, join, resolve } from "node:path"
import { CommandError } from "../core/errors.ts"
import { isGoGatewayKey } from "./go-compat.ts"
import { findNearest } from "./nearest.ts"
import { isRecord } from "./prices.ts"
import { PROVIDER_SETTINGS } from "./providers.ts"
import { isSetting, listRows } from "./rows.ts"
import { SETTINGS } from "./settings.ts"
import { type Notes, type SourcedValue, showValue, toProblemLine } from "./sources.ts"

const EXTENSIONS = ["yaml", "yml", "json", "jsonc", "json5", "toml", "ts", "mts", "cts", "mjs", "js", "cjs"]
const SYSTEM_FILE = "/etc/majordomo/majordomo.yaml"

/** The values of the one configuration file, or none when there is no file. A named file must exist. */
export async function readConfigFile(
  options: { readonly configFile: string | undefined; readonly cwd: string; readonly systemFile?: string },
  notes: Notes,
): Promise<SourcedValue[]> {
  const file = findFile(options, notes)
  if (file === undefined) return []
  const source = dirname(file) === options.cwd ? basename(file) : file
  const content = isBlank(file) ? {} : await parseFile(file, source)
  if (!isRecord(content)) throw new CommandError(`${source}: expected settings by name, got ${nameKind(content)}`)
  const given: SourcedValue[] = []
  const visit = (prefix: string, known: object, node: Record<string, unknown>) => {
    for (const [key, value] of Object.entries(node)) {
      const path = prefix + key
      const below = findBelow(known, prefix, key)
      if (below === undefined) noteUnknown(path, source, notes)
      else if (isSetting(below)) given.push({ path, value, source, dir: dirname(file) })
      else if (isRecord(value)) visit(`${path}.`, below, value)
      else if (value !== null && value !== undefined) {
        const keys = prefix === "" && key === "providers" ? "names of providers" : Object.keys(below).join(", ")
        notes.problems.push(toProblemLine(path, source, `expected a section with ${keys}, got ${nameKind(value)}`))
      }
    }
  }
  visit("", SETTINGS, content)
  // A key without a value says nothing in YAML.
  return given.filter(({ value }) => value !== null && value !== undefined)
}

function findBelow(known: object, prefix: string, key: string): object | undefined {
  if (prefix === "" && key === "providers") return {}
  if (prefix === "providers." && !isGoGatewayKey(`providers.${key}`)) return PROVIDER_SETTINGS
  return Object.hasOwn(known, key) ? (known as Record<string, object>)[key] : undefined
}

/** What stands for settings may be what a slip made of them, secrets too. */
function nameKind(value: unknown): string {
  return typeof value === "string" ? "a text" : showValue(value)
}

function noteUnknown(path: string, source: string, notes: Notes): void {
  if (isGoGatewayKey(path)) {
    notes.warnings.push(`${path} (${source}) belongs to the Go gateway and has no effect here`)
    return
  }
  const provider = /^(providers\.[^.]+)\./.exec(path)?.[1]
  const known = provider
    ? Object.keys(PROVIDER_SETTINGS).map((key) => `${provider}.${key}`)
    : [...listRows().map((row) => row.path), ...Object.keys(SETTINGS), "providers"]
  const meant = findNearest(path, known)
  notes.problems.push(toProblemLine(path, source, `no such setting${meant ? `; did you mean ${meant}?` : ""}`))
}

function findFile(
  { configFile, cwd, systemFile = SYSTEM_FILE }: { configFile: string | undefined; cwd: string; systemFile?: string },
  notes: Notes,
): string | undefined {
  if (configFile !== undefined) {
    const file = resolve(cwd, configFile)
    if (configFile === "" || !existsSync(file)) throw new CommandError(`--config ${configFile}: there is no such file`)
    if (!EXTENSIONS.includes(extname(file).slice(1))) {
      throw new CommandError(`--config ${configFile}: expected a file that ends in .${EXTENSIONS.join(", .")}`)
    }
    return file
  }
  const [file, ...others] = EXTENSIONS.map((extension) => join(cwd, `majordomo.${extension}`)).filter(existsSync)
  for (const other of others) notes.warnings.push(`${basename(other)} is not read, for ${basename(file!)} is`)
  return file ?? (existsSync(systemFile) ? systemFile : undefined)
}

/** Nothing but comments: c12 takes that for a broken file. */
function isBlank(file: string): boolean {
  if (!/\.(ya?ml|toml|json[c5]?)$/.test(file)) return false
  return /^(\s|#.*$|---)*$/m.exec(readText(file))?.[0].length === readText(file).length
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? "unknown reason"}`)
  }
}

async function parseFile(file: string, source: string): Promise<unknown> {
  const { loadConfig } = await import("c12")
  try {
    const { config } = await loadConfig<Record<string, unknown>>({
      name: "majordomo",
      cwd: dirname(file),
      configFile: file,
      rcFile: false,
      globalRc: false,
      packageJson: false,
      dotenv: false,
      envName: false,
      extend: false,
      giget: false,
      // One source, so there is nothing to merge; c12's own merging would concatenate arrays.
      merger: (...sources) => sources.find((each) => each !== undefined && each !== null) ?? {},
    })
    return config
  } catch (error) {
    throw new CommandError(`${source} cannot be read: ${explain(error)}`)
  }
}

/** Where the syntax broke, without the quoted lines of the file, which may hold secrets. */
function explain(error: unknown): string {
  const { reason, mark, line, column, message } = error as {
    reason?: string
    mark?: { line: number; column: number }
    line?: number
    column?: number
    message?: string
  }
  // A password that begins with `*` or `!` is an alias or a tag to YAML, and quoted in its reason.
  if (reason && mark)
    return `${reason.replace(/["'<!].*["'>]/s, "…")} (line ${mark.line + 1}, column ${mark.column + 1})`
  if (typeof line === "number") return `wrong syntax (line ${line}${column === undefined ? "" : `, column ${column}`})`
  if (error instanceof SyntaxError) return `wrong syntax${/ at position \d+/.exec(message ?? "")?.[0] ?? ""}`
  return (message ?? "unknown reason").split("\n", 1)[0]!
}
