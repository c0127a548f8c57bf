import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, extname, join, resolve } from "node:path"
import { CommandError } from "../core/errors.ts"
import { findHomeDirectory } from "../kit/home-directory.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { findGoReplacement } from "./go-compat.ts"
import { findNearest } from "./nearest.ts"
import { PROVIDER_SETTINGS } from "./providers.ts"
import { isSetting, listRows } from "./rows.ts"
import { SETTINGS } from "./settings.ts"
import { type Notes, type SourcedValue, showValue, toProblemLine } from "./sources.ts"

const DATA_EXTENSIONS = ["yaml", "yml", "json", "jsonc", "json5", "toml"]
/** Files that are executed. They are read only when they are named, because the working directory may be anyone's. */
const CODE_EXTENSIONS = ["ts", "mts", "cts", "mjs", "js", "cjs"]
const EXTENSIONS = [...DATA_EXTENSIONS, ...CODE_EXTENSIONS]
/** Where `service install` puts the settings, of one user and of the machine. Only one of them is read. */
const listServiceFiles = () => [
  join(findHomeDirectory(), ".config/majordomo/majordomo.yaml"),
  "/etc/majordomo/majordomo.yaml",
]

/**
 * Reads the values of the configuration file, or returns none when there is no file. A file of `--config` must exist.
 */
export async function readConfigFile(
  options: { readonly configFile: string | undefined; readonly cwd: string; readonly systemFile?: string },
  notes: Notes,
): Promise<SourcedValue[]> {
  const file = findFile(options, notes)
  if (file === undefined) return []
  const source = dirname(file) === options.cwd ? basename(file) : file
  const content = isBlank(file) ? {} : await parseFile(file, source)
  if (!isRecord(content)) throw new CommandError(`${source}: expected settings by name, got ${nameType(content)}`)
  const found: SourcedValue[] = []
  const visit = (prefix: string, known: object, node: Record<string, unknown>) => {
    for (const [key, value] of Object.entries(node)) {
      const path = prefix + key
      const below = findBelow(known, prefix, key)
      if (below === undefined) noteUnknown(path, source, notes)
      else if (isSetting(below)) found.push({ path, value, source, dir: dirname(file) })
      else if (isRecord(value)) visit(`${path}.`, below, value)
      else if (value !== null && value !== undefined) {
        const keys = prefix === "" && key === "providers" ? "names of providers" : Object.keys(below).join(", ")
        notes.problems.push(toProblemLine(path, source, `expected a section with ${keys}, got ${nameType(value)}`))
      }
    }
  }
  visit("", SETTINGS, content)
  // In YAML, a key without a value does not set anything.
  return found.filter(({ value }) => value !== null && value !== undefined)
}

function findBelow(known: object, prefix: string, key: string): object | undefined {
  if (prefix === "" && key === "providers") return {}
  if (prefix === "providers.") return PROVIDER_SETTINGS
  return Object.hasOwn(known, key) ? (known as Record<string, object>)[key] : undefined
}

/** Names the type of a value in place of a section. The value is not shown because it may contain secrets. */
function nameType(value: unknown): string {
  return typeof value === "string" ? "text" : showValue(value)
}

function noteUnknown(path: string, source: string, notes: Notes): void {
  const instead = findGoReplacement(path)
  if (instead !== undefined) {
    notes.warnings.push(`${path} (${source}) is a setting of the Go gateway and has no effect here: ${instead}`)
    return
  }
  const provider = /^(providers\.[^.]+)\./.exec(path)?.[1]
  const known = provider
    ? Object.keys(PROVIDER_SETTINGS).map((key) => `${provider}.${key}`)
    : [...listRows().map((row) => row.path), ...Object.keys(SETTINGS), "providers"]
  const meant = findNearest(path, known)
  notes.problems.push(toProblemLine(path, source, `unknown setting${meant ? `; did you mean ${meant}?` : ""}`))
}

function findFile(
  { configFile, cwd, systemFile }: { configFile: string | undefined; cwd: string; systemFile?: string },
  notes: Notes,
): string | undefined {
  if (configFile !== undefined) {
    const file = resolve(cwd, configFile)
    if (configFile === "" || !existsSync(file))
      throw new CommandError(`--config ${configFile}: the file does not exist`)
    if (!EXTENSIONS.includes(extname(file).slice(1))) {
      throw new CommandError(`--config ${configFile}: expected a file that ends in .${EXTENSIONS.join(", .")}`)
    }
    return file
  }
  const listFiles = (extensions: readonly string[]) =>
    extensions.map((extension) => join(cwd, `majordomo.${extension}`)).filter(existsSync)
  for (const code of listFiles(CODE_EXTENSIONS).map((path) => basename(path))) {
    notes.warnings.push(`${code} is ignored because files that are code are read only when named: --config ${code}`)
  }
  const [file, ...others] = listFiles(DATA_EXTENSIONS)
  for (const other of others) notes.warnings.push(`${basename(other)} is ignored because ${basename(file!)} is read`)
  return file ?? (systemFile === undefined ? listServiceFiles() : [systemFile]).find((path) => existsSync(path))
}

/** Returns true for a file that has only comments, which c12 would reject. */
function isBlank(file: string): boolean {
  if (!/\.(ya?ml|toml|json[c5]?)$/.test(file)) return false
  return /^(\s|#.*$|---)*$/m.exec(readText(file))?.[0].length === readText(file).length
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    const { code = "unknown reason" } = error as NodeJS.ErrnoException
    // Container engines create a directory in the place of a mounted file that does not exist.
    throw new CommandError(`${file} cannot be read: ${code === "EISDIR" ? "it is a directory, not a file" : code}`)
  }
}

/** Reads a YAML file that is not the configuration, such as a price file. */
export function readYaml(path: string): Promise<unknown> {
  return parseFile(path, path)
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
      // There is only one source. c12's default merger would concatenate arrays.
      merger: (...sources) => sources.find((each) => each !== undefined && each !== null) ?? {},
    })
    return config
  } catch (error) {
    throw new CommandError(`${source} cannot be read: ${explain(error)}`)
  }
}

/** Describes a syntax error and its position, without the lines of the file, which may contain secrets. */
function explain(error: unknown): string {
  const { reason, mark, line, column, message } = error as {
    reason?: string
    mark?: { line: number; column: number }
    line?: number
    column?: number
    message?: string
  }
  // YAML reads a password that starts with `*` or `!` as an alias or a tag, and its error quotes it.
  if (reason && mark)
    return `${reason.replace(/["'<!].*["'>]/s, "…")} (line ${mark.line + 1}, column ${mark.column + 1})`
  if (typeof line === "number")
    return `invalid syntax (line ${line}${column === undefined ? "" : `, column ${column}`})`
  if (error instanceof SyntaxError) return `invalid syntax${/ at position \d+/.exec(message ?? "")?.[0] ?? ""}`
  return (message ?? "unknown reason").split("\n", 1)[0]!
}
