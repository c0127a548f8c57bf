import { METADATA_ALIASES, parseMetadataName } from "../core/metadata-name.ts"
import { INVALID, list, type ValueParser } from "./value-parsers.ts"

/** The labels that metrics have by themselves, or that Prometheus adds. */
const RESERVED = ["provider", "model", "key", "kind", "status", "outcome", "le", "quantile", "instance", "job"]
const MAX_LABELS = 10

/**
 * Metadata names that become labels of metrics: the names by their labels, so `[User-Id]` is `{ user_id: "User-Id" }`. A
 * label consists of lower-case letters, digits and `_`.
 */
export const metricLabels: ValueParser<Readonly<Record<string, string>>, ""> = {
  unit: "",
  expected: `a list of at most ${MAX_LABELS} metadata names, such as [Team, Feature]`,
  parse: (raw, dir) => {
    const names = list.parse(raw, dir)
    if (names === INVALID || names.length > MAX_LABELS || findProblem(names) !== undefined) return INVALID
    return Object.fromEntries(names.map(toStored).map((name) => [toLabel(name), name]))
  },
  explain: (raw) => {
    const names = list.parse(raw, "")
    const problem = names === INVALID || names.length > MAX_LABELS ? undefined : findProblem(names)
    return problem ?? { path: "", why: `expected ${metricLabels.expected}` }
  },
}

function findProblem(names: readonly string[]): { readonly path: string; readonly why: string } | undefined {
  const labels = names.map((name) => (parseMetadataName(name) === undefined ? undefined : toLabel(toStored(name))))
  const at = labels.findIndex(
    (label, i) => label === undefined || RESERVED.includes(label) || !/^[a-z]/.test(label) || labels.indexOf(label) < i,
  )
  if (at < 0) return undefined
  const label = labels[at]
  const why = RESERVED.includes(label ?? "")
    ? `a metric has a label "${label}" already`
    : label !== undefined && /^[a-z]/.test(label)
      ? `another name has the label "${label}" too`
      : "expected a metadata name that begins with a letter"
  return { path: `[${at}]`, why }
}

function toStored(name: string): string {
  return (Object.hasOwn(METADATA_ALIASES, name) ? METADATA_ALIASES[name] : parseMetadataName(name)) ?? name
}

function toLabel(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "_")
}
