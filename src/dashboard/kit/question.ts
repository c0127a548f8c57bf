import { useMemo } from "preact/hooks"
import type { Input } from "./api.ts"
import { toHref, usePlace } from "./location.ts"

/** One condition on the requests that count: a dimension, and the value that it must have. */
export interface Filter {
  /** `model`, `provider`, `key`, `status`, `billing`, or a metadata name. */
  readonly name: string
  readonly value: string
}

/** The dimensions of every request that can be filtered. All others are metadata names. */
export const FIXED: readonly string[] = ["model", "provider", "key", "status", "billing"]
/** What belongs to every view, and stays when the reader goes to another one. */
const SHARED = ["since", "until", "tz", "where", "compare", "vs", "match", ...FIXED]

export const DEFAULT_SINCE = "30d"
export const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"

function listFilters(params: URLSearchParams): Filter[] {
  const fixed = FIXED.flatMap((name) => params.getAll(name).map((value) => ({ name, value })))
  const where = params.getAll("where").map((text) => {
    const at = text.indexOf("=")
    return { name: text.slice(0, at), value: text.slice(at + 1) }
  })
  return [...fixed, ...where]
}

/** Returns the parameters with a filter, which replaces one on the same dimension. */
export function withFilter(params: URLSearchParams, { name, value }: Filter): URLSearchParams {
  const next = withoutFilter(params, name)
  if (FIXED.includes(name)) next.set(name, value)
  else next.append("where", `${name}=${value}`)
  return next
}

export function withoutFilter(params: URLSearchParams, name: string): URLSearchParams {
  const next = new URLSearchParams(params)
  if (FIXED.includes(name)) next.delete(name)
  else {
    next.delete("where")
    for (const text of params.getAll("where")) if (!text.startsWith(`${name}=`)) next.append("where", text)
  }
  return next
}

/** Returns the parameters with some of them set, or removed (undefined). */
export function withParams(params: URLSearchParams, changes: Readonly<Record<string, string | undefined>>) {
  const next = new URLSearchParams(params)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) next.delete(name)
    else next.set(name, value)
  }
  return next
}

/** Returns what the views share: period, zone, comparison and filters. */
function sharedParams(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...params].filter(([name]) => SHARED.includes(name)))
}

/** The question that the address asks. */
export interface Question {
  readonly params: URLSearchParams
  readonly filters: readonly Filter[]
  readonly tz: string
  /** What every report of the API takes. */
  readonly input: Input
  /** The address of the same view with other parameters. */
  href(params: URLSearchParams): string
  /** The address of another view with the same period and filters. */
  hrefOf(view: string, more?: Readonly<Record<string, string>>): string
}

export function useQuestion(): Question {
  const { view, params } = usePlace()
  return useMemo(() => {
    const tz = params.get("tz") ?? LOCAL_ZONE
    const one = (name: string) => params.get(name) ?? undefined
    const input = {
      since: one("since") ?? DEFAULT_SINCE,
      until: one("until"),
      tz,
      model: one("model"),
      provider: one("provider"),
      key: one("key"),
      status: one("status"),
      billing: one("billing"),
      where: params.getAll("where"),
    }
    return {
      params,
      filters: listFilters(params),
      tz,
      input,
      href: (next) => toHref(view, next),
      hrefOf: (other, more = {}) => toHref(other, withParams(sharedParams(params), more)),
    }
  }, [view, params])
}
