import { CommandError } from "../core/errors.ts"
import { readAdminToken } from "./admin-token.ts"
import { readBillingCredentials } from "./billing-credentials.ts"
import { mergeChannelFields } from "./channel-variables.ts"
import { readDotenv, readVariables, type Variables } from "./environment.ts"
import { readConfigFile } from "./file.ts"
import { dropGoValues } from "./go-compat.ts"
import { warnOfGoVariables } from "./go-variables.ts"
import { checkRules } from "./notification-rules.ts"
import { checkOidc } from "./oidc.ts"
import { findNameProblem, type ProviderCatalog, toProviders } from "./providers.ts"
import { readProxies } from "./proxies.ts"
import { createRowFinder, isSetting, listRows } from "./rows.ts"
import { SETTINGS, type Setting, type Settings, toPropertyName } from "./settings.ts"
import { type Notes, type SourcedValue, showValue, toProblemLine } from "./sources.ts"
import { readOtelVariables } from "./telemetry.ts"
import { INVALID, postgresAddress } from "./value-parsers.ts"

export interface LoadOptions {
  /** The file of `--config`. No other file is read then, and it must exist. */
  readonly configFile?: string | undefined
  /** The values of flags by path: `{ "server.port": "8080" }`. They take precedence over all other values. */
  readonly overrides?: Readonly<Record<string, unknown>>
  readonly cwd?: string
  readonly env?: Variables
  /** The file that is read when the working directory has none, in place of those of `service install`. */
  readonly systemFile?: string
}

export interface LoadedSettings {
  readonly settings: Settings
  /** Where each setting comes from: `default`, or the name of a file, a variable or a flag. */
  readonly sources: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
}

/**
 * Loads the settings. Flags take precedence over the environment, `.env`, the file and the defaults, in this order.
 * Throws one `CommandError` with a line for each problem.
 */
export async function loadSettings(options: LoadOptions, catalog: ProviderCatalog): Promise<LoadedSettings> {
  const { configFile, systemFile, cwd = findWorkingDirectory(), env = process.env } = options
  const notes: Notes = { problems: [], warnings: [] }
  const inFile = await readConfigFile({ configFile, cwd, systemFile }, notes)
  const dotenv = await readDotenv(cwd, notes)
  const fromFile = inFile.flatMap(({ path }) => (path.startsWith("providers.") ? [path.split(".")[1]!] : []))
  const providers = new Set([...Object.keys(catalog.builtIn), ...fromFile])
  const flags = Object.entries(options.overrides ?? {}).filter(([, value]) => value !== undefined)
  const set = [
    ...inFile,
    ...readVariables(dotenv, { dir: cwd, file: ".env", providers }, notes),
    ...readVariables(env, { dir: cwd, providers }, notes),
    ...flags.map(([path, value]) => ({ path, value, source: toFlag(path), dir: cwd })),
  ]
  const withBilling = readBillingCredentials(readAdminToken(set, env["ADMIN_TOKEN"], notes), env)
  const ours = mergeChannelFields(readOtelVariables(withBilling, env, notes))
  warnOfGoVariables(env, notes)
  const all = dropGoValues([...ours, ...readDatabaseUrl(set, env["DATABASE_URL"], notes)], notes)
  const { values, sources } = readValues({ sourced: all, cwd, catalog }, notes)
  checkOidc(values, sources, notes)
  checkRules(values, sources, notes)
  const built = toProviders(values, catalog, (path, why) =>
    notes.problems.push(toProblemLine(path, sources.get(path) ?? "unset", why)),
  )
  const proxy = values.get("upstream.proxy")
  const proxies = readProxies(typeof proxy === "string" ? proxy : "none", env, notes, (variable) => {
    const known = sources.get("upstream.proxy")
    sources.set("upstream.proxy", known === "default" ? variable : `${known}, ${variable}`)
  })
  if (notes.problems.length > 0) throw new CommandError(toErrorMessage(notes.problems))
  if (values.get("storage.postgres.url") !== undefined) warnOfIgnoredParts(sources, notes)
  const settings = { ...build("", SETTINGS, values), providers: built } as unknown as Settings & { storage: object }
  const isSet = all.some(({ path, value }) => namesPrimary(path) && value !== "")
  const storage = { ...settings.storage, postgres: { ...settings.storage.postgres, isSet } }
  const pricing = { ...settings.pricing, catalogUrl: toCatalogUrl(settings, sources), proxies }
  const upstream = { ...settings.upstream, proxies }
  const s3 = { ...settings.s3, proxies }
  const telemetry = { ...settings.telemetry, proxies }
  return {
    settings: { ...settings, storage, pricing, upstream, s3, telemetry },
    sources: Object.fromEntries(sources),
    warnings: notes.warnings,
  }
}

function findWorkingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    throw new CommandError("the working directory was deleted: change to another directory, and run this again there")
  }
}

/** Without an address of its own, the catalog is off if `pricing.remote_url` is, which once turned off every download. */
function toCatalogUrl({ pricing }: Settings, sources: ReadonlyMap<string, string>): string {
  return pricing.remoteUrl === "" && sources.get("pricing.catalog_url") === "default" ? "" : pricing.catalogUrl
}

interface ValueInput {
  readonly sourced: readonly SourcedValue[]
  readonly cwd: string
  readonly catalog: ProviderCatalog
}

function readValues({ sourced, cwd, catalog }: ValueInput, notes: Notes) {
  const values = new Map<string, unknown>()
  const sources = new Map<string, string>()
  const find = createRowFinder(catalog)
  for (const { path, setting } of listRows()) {
    values.set(path, setting.initial === undefined ? undefined : setting.parser.parse(setting.initial, cwd))
    sources.set(path, "default")
  }
  for (const { path, value, source, dir } of sourced) {
    const setting = find(path)
    const parsed = setting?.parser.parse(value, dir) ?? undefined
    const problem = findProblem({ path, setting, value, parsed }, catalog)
    if (problem !== undefined) notes.problems.push(toProblemLine(problem.path, source, problem.why))
    values.set(path, parsed)
    sources.set(path, source)
  }
  return { values, sources }
}

interface ParsedValue {
  readonly path: string
  readonly setting: Setting<unknown> | undefined
  readonly value: unknown
  readonly parsed: unknown
}

function findProblem({ path, setting, value, parsed }: ParsedValue, catalog: ProviderCatalog) {
  if (setting === undefined) return { path, why: "unknown setting" }
  if (parsed === INVALID) {
    const inside = setting.parser.explain?.(value)
    if (inside !== undefined) return { path: path + inside.path, why: inside.why }
    const shown = setting.secret && value !== "" ? "another value (not shown)" : showValue(value)
    return { path, why: `expected ${setting.parser.expected}, got ${shown}` }
  }
  const why = path.startsWith("providers.") ? findNameProblem(path.split(".")[1]!, catalog) : undefined
  return why === undefined ? undefined : { path, why }
}

/** Whether a setting says which server has the database. The replica is a copy of it. */
function namesPrimary(path: string): boolean {
  return path.startsWith("storage.postgres.") && !path.startsWith("storage.postgres.read_")
}

/** Reads `DATABASE_URL`, which is used only when no `storage.postgres.*` except `schema` and `read_*` is set. */
function readDatabaseUrl(sourced: readonly SourcedValue[], value: string | undefined, notes: Notes): SourcedValue[] {
  if (value === undefined || value === "") return []
  const path = "storage.postgres.url"
  const ours = sourced.find(
    (each) => namesPrimary(each.path) && each.path !== "storage.postgres.schema" && each.value !== "",
  )
  if (ours !== undefined) {
    notes.warnings.push(`DATABASE_URL is ignored because ${ours.path} is set (${ours.source})`)
    return []
  }
  const isEmbedded = sourced.findLast((each) => each.path === "storage.driver")?.value === "embedded"
  if (postgresAddress.parse(value, "") !== INVALID) return [{ path, value, source: "DATABASE_URL", dir: "" }]
  if (isEmbedded) return []
  const why = `expected ${postgresAddress.expected}, got another value (not shown); to use the embedded database, unset it or set storage.driver: embedded`
  notes.problems.push(toProblemLine("DATABASE_URL", "environment", why))
  return []
}

function warnOfIgnoredParts(sources: ReadonlyMap<string, string>, notes: Notes): void {
  const url = "storage.postgres.url"
  const parts = ["host", "port", "user", "password", "database"].map((part) => `storage.postgres.${part}`)
  const ignored = parts.filter((part) => sources.get(part) !== "default")
  if (ignored.length > 0)
    notes.warnings.push(`${ignored.join(", ")}: ignored because ${url} is set (${sources.get(url)})`)
}

function build(prefix: string, group: object, values: ReadonlyMap<string, unknown>): Record<string, unknown> {
  const built: Record<string, unknown> = {}
  for (const [key, node] of Object.entries(group) as [string, object][]) {
    if (isSetting(node)) built[toPropertyName(key, node.parser.unit)] = values.get(prefix + key)
    else built[toPropertyName(key, "")] = build(`${prefix}${key}.`, node, values)
  }
  return built
}

/** Converts a path to its flag: `server.port` -> `--port`. */
function toFlag(path: string): string {
  return `--${path.split(".").at(-1)!.replaceAll("_", "-")}`
}

function toErrorMessage(problems: readonly string[]): string {
  if (problems.length === 1) return problems[0]!
  return `the configuration has ${problems.length} errors:\n${problems.map((problem) => `  ${problem}`).join("\n")}`
}
