import type { ArgsDef } from "citty"
import { findNearest } from "../../config/nearest.ts"
import { CommandError } from "../../core/errors.ts"
import {
  DIMENSIONS,
  type Dimension,
  type Filters,
  findDimension,
  findZone,
  MOMENTS,
  type Period,
  parseMoment,
  toTrainCase,
} from "../../reports/index.ts"
import { listValues } from "../_args.ts"

/** The options that choose requests; every usage command has them. */
export const FILTER_OPTIONS = {
  since: { type: "string", valueHint: "WHEN", description: `from then on: ${MOMENTS}` },
  until: { type: "string", valueHint: "WHEN", description: "up to then; a date includes its whole day" },
  tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
  model: { type: "string", valueHint: "NAME", description: "only this model; gpt-4* stands for all that begin so" },
  provider: { type: "string", valueHint: "NAME", description: "only this provider" },
  key: { type: "string", valueHint: "KEY", description: "only this API key, by its id or its name" },
  status: { type: "string", valueHint: "STATUS", description: "only error, success, a status code, or 4*" },
  where: {
    type: "string",
    valueHint: "NAME=VALUE",
    description: "only this metadata, such as User-Id=42 (repeatable)",
  },
} as const satisfies ArgsDef

type FilterArgs = { readonly [K in keyof typeof FILTER_OPTIONS]?: string | undefined }

/** The period as a person gave it. `now` is when it was asked. */
export function toPeriod(args: FilterArgs, now: number, defaultSince: string): Period {
  const tz = toZone(args.tz)
  const read = (edge: "since" | "until", text: string) => {
    const at = parseMoment(text, edge, { now, tz })
    if (at !== undefined) return at
    throw new CommandError(`--${edge}: expected ${MOMENTS}, got ${JSON.stringify(text)}`, 2)
  }
  const since = read("since", args.since ?? defaultSince)
  const until = args.until === undefined ? undefined : read("until", args.until)
  if (until !== undefined && until <= since) throw new CommandError("--until is not after --since", 2)
  return { since, until, tz }
}

export function toZone(name: string | undefined): string {
  const zone = findZone(name ?? Intl.DateTimeFormat().resolvedOptions().timeZone)
  if (zone !== undefined) return zone
  if (name === undefined) return "UTC"
  throw new CommandError(`--tz: expected a time zone such as Europe/Lisbon or UTC, got ${JSON.stringify(name)}`, 2)
}

export function toFilters(args: FilterArgs, rawArgs: readonly string[]): Filters {
  const { model, provider, key, status } = args
  if (status !== undefined && !/^(error|success|\d{1,3}\*?)$/.test(status)) {
    throw new CommandError(
      `--status: expected error, success, a code such as 429, or 4*, got ${JSON.stringify(status)}`,
      2,
    )
  }
  const where: Record<string, string> = {}
  for (const text of listValues("where", rawArgs)) {
    const at = text.indexOf("=")
    if (at < 1) throw new CommandError(`--where: expected Name=value, got ${JSON.stringify(text)}`, 2)
    where[toTrainCase(text.slice(0, at))] = text.slice(at + 1)
  }
  return { model, provider, key, status, where: Object.keys(where).length === 0 ? undefined : where }
}

export function toDimensions(by: string | undefined): readonly Dimension[] {
  if (by === undefined) return []
  const names = by.split(",").map((name) => name.trim())
  if (names.length > 2) throw new CommandError("--by: one or two dimensions, as in --by key,model", 2)
  const dimensions = names.map(toDimension)
  if (dimensions[0]!.name === dimensions[1]?.name) throw new CommandError("--by: the same dimension twice", 2)
  return dimensions
}

/** A small letter that is nearly a dimension is a slip; metadata names are best written as they are stored. */
function toDimension(name: string): Dimension {
  const known = Object.keys(DIMENSIONS)
  const meant = known.includes(name) || !/^[a-z]+$/.test(name) ? undefined : findNearest(name, known)
  const dimension = meant === undefined ? findDimension(name) : undefined
  if (dimension !== undefined) return dimension
  const hint = meant === undefined ? "" : `; did you mean ${meant}? (a metadata name begins with a capital)`
  throw new CommandError(
    `--by: expected ${known.join(", ")} or a metadata name such as User-Id, got ${JSON.stringify(name)}${hint}`,
    2,
  )
}
