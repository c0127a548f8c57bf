import { createTable } from "../core/table.ts"
import { isFieldValue, isToken } from "../kit/http/fields.ts"
import { isRecord } from "../kit/json/is-record.ts"
import type { Notes, SourcedValue } from "./sources.ts"
import { INVALID, type ValueParser } from "./value-parsers.ts"

type Table = Readonly<Record<string, string>>
type Variables = Readonly<Record<string, string | undefined>>

/** A table of texts by name. In a variable it is JSON, or `NAME=VALUE,…` with percent-encoded values, as in OpenTelemetry. */
function textTable(expected: string, isValid: (name: string, value: string) => boolean): ValueParser<Table, ""> {
  return {
    unit: "",
    expected,
    parse: (raw) => {
      const table = typeof raw === "string" ? parseTable(raw) : raw
      if (!isRecord(table)) return INVALID
      const entries = Object.entries(table).map(([name, value]) => [name, String(value)] as const)
      const isPlain = Object.values(table).every((value) => ["string", "number", "boolean"].includes(typeof value))
      return isPlain && entries.every(([name, value]) => isValid(name, value)) ? Object.fromEntries(entries) : INVALID
    },
  }
}

export const headerTable = textTable(
  "headers by their names, such as { x-api-key: … }, or NAME=VALUE,…",
  (name, value) => isToken(name) && isFieldValue(value),
)

export const attributeTable = textTable(
  "attributes by their names, such as { deployment.environment.name: production }, or NAME=VALUE,…",
  (name) => name !== "",
)

function parseTable(text: string): unknown {
  try {
    if (text.trim().startsWith("{")) return JSON.parse(text)
    const pairs = text.split(",").filter((pair) => pair.trim() !== "")
    return Object.fromEntries(pairs.map(parsePair))
  } catch {
    return undefined
  }
}

function parsePair(pair: string): readonly [string, string] {
  const at = pair.indexOf("=")
  if (at <= 0) throw new Error("expected NAME=VALUE")
  return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
}

const PREFIX = "telemetry.otlp"
/** The variables of OpenTelemetry's own programs, by the settings that they stand for. */
const VARIABLES: Readonly<Record<string, string>> = createTable({
  [`${PREFIX}.endpoint`]: "OTEL_EXPORTER_OTLP_ENDPOINT",
  [`${PREFIX}.headers`]: "OTEL_EXPORTER_OTLP_HEADERS",
  [`${PREFIX}.protocol`]: "OTEL_EXPORTER_OTLP_PROTOCOL",
})

/**
 * Adds the variables of OpenTelemetry whose settings are not set. `OTEL_SDK_DISABLED` turns off what they would turn on. If
 * the settings name an endpoint of their own, headers and protocol of the variables belong to another receiver.
 */
export function readOtelVariables(
  sourced: readonly SourcedValue[],
  env: Variables,
  notes: Notes,
): readonly SourcedValue[] {
  const isSet = (path: string) => sourced.some((each) => each.path === path && each.value !== "")
  const added: SourcedValue[] = []
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() !== "true" && !isSet(`${PREFIX}.endpoint`)) {
    for (const [path, variable] of Object.entries(VARIABLES)) {
      const value = env[variable]
      if (value && !isSet(path)) added.push({ path, value, source: variable, dir: "" })
    }
  }
  const isGrpc = added.some(({ value }) => value === "grpc")
  if (isGrpc && env["OTEL_EXPORTER_OTLP_ENDPOINT"])
    notes.warnings.push(
      "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, which the gateway does not speak: set telemetry.otlp.endpoint to send OTLP over HTTP",
    )
  const usable = isGrpc ? [] : added
  const resource = isSet(`${PREFIX}.resource`) ? undefined : readResource(env)
  return [...sourced, ...usable, ...(resource === undefined ? [] : [resource])]
}

function readResource(env: Variables): SourcedValue | undefined {
  const { OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: name } = env
  const sources = [attributes && "OTEL_RESOURCE_ATTRIBUTES", name && "OTEL_SERVICE_NAME"].filter(Boolean)
  if (sources.length === 0) return undefined
  const table = parseTable(attributes ?? "")
  if (!isRecord(table)) return undefined
  const value = { ...table, ...(name && { "service.name": name }) }
  return { path: `${PREFIX}.resource`, value, source: sources.join(", "), dir: "" }
}
