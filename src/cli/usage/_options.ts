import { MOMENTS, PERIODS, type Period, parsePeriod, parseZone } from "../../operations/usage/question.ts"
import { listValues } from "../_args.ts"
import type { Options } from "../_command.ts"

/** The option that divides requests into groups. */
export const BY_OPTION = {
  by: {
    type: "string",
    valueHint: "DIM[,DIM]",
    description:
      "model, provider, key, hour, day, week, month, status, outcome, billing, source, client, user, session, or a metadata name such as Feature",
  },
} as const satisfies Options

/** The options that choose requests; every usage command has them. */
export const FILTER_OPTIONS = {
  since: { type: "string", valueHint: "WHEN", description: `from then on: ${MOMENTS}` },
  until: { type: "string", valueHint: "WHEN", description: "up to then; a date includes its whole day" },
  period: { type: "string", valueHint: "NAME", description: `a calendar period: ${PERIODS}` },
  month: { type: "string", valueHint: "MONTH", description: "a calendar month: 2026-10, this-month or last-month" },
  tz: { type: "string", valueHint: "ZONE", description: "time zone such as Europe/Lisbon (default: this machine's)" },
  model: { type: "string", valueHint: "NAME", description: "only this model; gpt-4* means all that begin with gpt-4" },
  provider: { type: "string", valueHint: "NAME", description: "only this provider" },
  key: { type: "string", valueHint: "KEY", description: "only this API key, by its name or its id" },
  status: { type: "string", valueHint: "STATUS", description: "only error, success, a status code, or 4*" },
  billing: { type: "string", valueHint: "WHO", description: "only api or subscription: who pays for the tokens" },
  source: {
    type: "string",
    valueHint: "WHO",
    description: "only gateway (relayed), telemetry (reported by clients) or import",
  },
  where: {
    type: "string",
    valueHint: "NAME=VALUE",
    description: "only this metadata, such as User-Id=42; User-Id= means requests without it",
    isRepeatable: true,
  },
} as const satisfies Options

type FilterArgs = { readonly [K in keyof typeof FILTER_OPTIONS]?: string | undefined }

/** Returns the parameters of a route for the options. `where` may be repeated, so it is read from the raw arguments. */
export function toChoice({ since, until, period, month, tz, ...args }: FilterArgs, rawArgs: readonly string[]) {
  const { model, provider, key, status, billing, source } = args
  const where = listValues("where", rawArgs)
  return { since, until, period, month, tz: toZone(tz), model, provider, key, status, billing, source, where }
}

/** Returns the period of the options. `now` is the current time in ms since the epoch. */
export function toPeriod({ tz, ...args }: FilterArgs, now: number, defaultSince: string): Period {
  const { since, until, period, month } = args
  return parsePeriod({ since, until, period, month, tz: toZone(tz), defaultSince }, now)
}

/** Returns the time zone of the option, else the one of this machine, else UTC. */
export function toZone(name: string | undefined): string {
  if (name !== undefined) return parseZone(name)
  try {
    return parseZone(Intl.DateTimeFormat().resolvedOptions().timeZone)
  } catch {
    return "UTC"
  }
}
