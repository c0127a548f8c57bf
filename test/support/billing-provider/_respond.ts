/** A question to an admin API. */
export interface AdminRequest {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface AdminAnswer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown for a question that the API rejects with 400. */
export class BadRequest extends Error {}

/** Writes a number with all its digits, which `JSON.stringify` would cut. */
export function rawNumber(text: string): string {
  return `${RAW}${text}`
}

const RAW = "raw number "

export function toJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(new RegExp(`"${RAW}([^"]*)"`, "g"), "$1")
}

/** Returns the values of a list parameter, as `name[]=a&name[]=b`. @throws BadRequest for a value that is not allowed */
export function listOf(query: URLSearchParams, name: string, allowed?: readonly string[]): readonly string[] {
  const values = query.getAll(`${name}[]`)
  const wrong = values.find((value) => allowed !== undefined && !allowed.includes(value))
  if (wrong !== undefined) throw new BadRequest(`Invalid value for '${name}': '${wrong}'.`)
  return values
}

/** Returns the parameter `limit`. @throws BadRequest if it is not within its bounds */
export function limitOf(query: URLSearchParams, standard: number, max: number): number {
  const limit = Number(query.get("limit") ?? standard)
  if (!Number.isInteger(limit) || limit < 1 || limit > max) {
    throw new BadRequest(`Invalid 'limit': expected a value from 1 to ${max}.`)
  }
  return limit
}

/** @throws BadRequest for parameters that the API does not know */
export function checkNames(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name.replace("[]", ""))) throw new BadRequest(`Unknown parameter: '${name}'.`)
  }
}

/** Returns one page of a list, and the members that lead to the next one. */
export function pageOf<T>(all: readonly T[], query: URLSearchParams, limit: number) {
  const token = query.get("page")
  const offset = token === null ? 0 : Number(Buffer.from(token.slice("page_".length), "base64").toString())
  if (!Number.isInteger(offset)) throw new BadRequest("Invalid 'page'.")
  const end = offset + limit
  const more = end < all.length
  const next = more ? `page_${Buffer.from(String(end)).toString("base64")}` : null
  return { data: all.slice(offset, end), has_more: more, next_page: next }
}

/** Groups items by the texts that `toParts` returns. */
export function groupBy<T>(items: readonly T[], toParts: (item: T) => readonly unknown[]): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const id = JSON.stringify(toParts(item))
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [item])
    else group.push(item)
  }
  return [...groups.values()]
}
