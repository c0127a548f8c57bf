import { CommandError } from "../core/errors.ts"
import { readDotenv, readVariables, type Variables } from "./environment.ts"
import { readConfigFile } from "./file.ts"
import { type ProviderCatalog, refuseProviderName, toProviders } from "./providers.ts"
import { createRowFinder, isSetting, listRows } from "./rows.ts"
import { SETTINGS, type Setting, type Settings, toPropertyName } from "./settings.ts"
import { type Notes, type SourcedValue, showValue, toProblemLine } from "./sources.ts"
import { postgresAddress, REFUSED } from "./value-parsers.ts"

export interface LoadOptions {
  /** The file of `--config`: then no other is read, and it must exist. */
  readonly configFile?: string | undefined
  /** From flags, by path: `{ "server.port": "8080" }`. They win over all. */
  readonly overrides?: Readonly<Record<string, unknown>>
  readonly cwd?: string
  readonly env?: Variables
  /** Read when the working directory has no file. */
  readonly systemFile?: string
}

export interface LoadedSettings {
  readonly settings: Settings
  /** Who set each path: `default`, a file, a variable, a flag. */
  readonly sources: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
}

/**
 * The settings: defaults, then the file, `.env`, the environment and the flags, later wins. Everything that is wrong is
 * refused at once, in one `CommandError` with a line for each.
 */
export async function loadSettings(options: LoadOptions, catalog: ProviderCatalog): Promise<LoadedSettings> {
  const { configFile, systemFile, cwd = process.cwd(), env = process.env } = options
  const notes: Notes = { problems: [], warnings: [] }
  const inFile = await readConfigFile({ configFile, cwd, systemFile }, notes)
  const dotenv = await readDotenv(cwd)
  const fromFile = inFile.flatMap(({ path }) => (path.startsWith("providers.") ? [path.split(".")[1]!] : []))
  const providers = new Set([...Object.keys(catalog.builtIn), ...fromFile])
  const flags = Object.entries(options.overrides ?? {}).filter(([, value]) => value !== undefined)
  const given = [
    ...inFile,
    ...readVariables(dotenv, { dir: cwd, file: ".env", providers }, notes),
    ...readVariables(env, { dir: cwd, providers }, notes),
    ...flags.map(([path, value]) => ({ path, value, source: toFlag(path), dir: cwd })),
  ]
  const all = [...given, ...readDatabaseUrl(given, { ...dotenv, ...env }, notes)]
  const { values, sources } = readValues({ given: all, cwd, catalog }, notes)
  const built = toProviders(values, catalog, (path, why) =>
    notes.problems.push(toProblemLine(path, sources.get(path) ?? "unset", why)),
  )
  if (notes.problems.length > 0) throw new CommandError(toRefusal(notes.problems))
  if (values.get("storage.postgres.url") !== undefined) warnOfUnusedParts(sources, notes)
  const settings = { ...build("", SETTINGS, values), providers: built } as unknown as Settings & { storage: object }
  const isSet = all.some(({ path, value }) => path.startsWith("storage.postgres.") && value !== "")
  const storage = { ...settings.storage, postgres: { ...settings.storage.postgres, isSet } }
  return { settings: { ...settings, storage }, sources: Object.fromEntries(sources), warnings: notes.warnings }
}

function readValues(
  {
    given,
    cwd,
    catalog,
  }: { readonly given: readonly SourcedValue[]; readonly cwd: string; readonly catalog: ProviderCatalog },
  notes: Notes,
) {
  const values = new Map<string, unknown>()
  const sources = new Map<string, string>()
  const find = createRowFinder(catalog)
  for (const { path, setting } of listRows()) {
    values.set(path, setting.initial === undefined ? undefined : setting.kind.parse(setting.initial, cwd))
    sources.set(path, "default")
  }
  for (const { path, value, source, dir } of given) {
    const setting = find(path)
    const parsed = setting?.kind.parse(value, dir) ?? undefined
    const why = refuse({ path, setting, value, parsed }, catalog)
    if (why !== undefined) notes.problems.push(toProblemLine(path, source, why))
    values.set(path, parsed)
    sources.set(path, source)
  }
  return { values, sources }
}

function refuse(
  {
    path,
    setting,
    value,
    parsed,
  }: { path: string; setting: Setting<unknown> | undefined; value: unknown; parsed: unknown },
  catalog: ProviderCatalog,
): string | undefined {
  if (setting === undefined) return "no such setting"
  if (parsed === REFUSED) {
    return `expected ${setting.kind.expected}, got ${setting.secret && value !== "" ? "something else (not shown)" : showValue(value)}`
  }
  return path.startsWith("providers.") ? refuseProviderName(path.split(".")[1]!, catalog) : undefined
}

/** `DATABASE_URL` counts only while nobody said anything of `storage.postgres` to the gateway itself. */
function readDatabaseUrl(given: readonly SourcedValue[], variables: Variables, notes: Notes): SourcedValue[] {
  const value = variables["DATABASE_URL"]
  if (value === undefined || value === "") return []
  const path = "storage.postgres.url"
  const ours = given.find((each) => each.path.startsWith("storage.postgres.") && each.value !== "")
  if (ours !== undefined) {
    notes.warnings.push(`DATABASE_URL is not used, for ${ours.path} is set (${ours.source})`)
    return []
  }
  if (postgresAddress.parse(value, "") !== REFUSED) return [{ path, value, source: "DATABASE_URL", dir: "" }]
  notes.warnings.push("DATABASE_URL is not used, for it is no PostgreSQL address")
  return []
}

function warnOfUnusedParts(sources: ReadonlyMap<string, string>, notes: Notes): void {
  const url = "storage.postgres.url"
  const parts = ["host", "port", "user", "password", "database"].map((part) => `storage.postgres.${part}`)
  const unused = parts.filter((part) => sources.get(part) !== "default")
  if (unused.length > 0) notes.warnings.push(`${unused.join(", ")}: not used, for ${url} is set (${sources.get(url)})`)
}

function build(prefix: string, group: object, values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const built: Record<string, unknown> = {}
  for (const [key, node] of Object.entries(group) as [string, object][]) {
    if (isSetting(node)) built[toPropertyName(key, node.kind.unit)] = values.get(prefix + key)
    else built[toPropertyName(key, "")] = build(`${prefix}${key}.`, node, values)
  }
  return built
}

/** `server.port` -> `--port`. */
function toFlag(path: string): string {
  return `--${path.split(".").at(-1)!.replaceAll("_", "-")}`
}

function toRefusal(problems: readonly string[]): string {
  if (problems.length === 1) return problems[0]!
  return `the configuration has ${problems.length} mistakes:\n${problems.map((problem) => `  ${problem}`).join("\n")}`
}
