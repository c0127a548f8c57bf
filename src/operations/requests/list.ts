import { askRequests, type Filters, type Period, type RequestCursor } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import type { RequestRow } from "./row.ts"

interface RequestsInput {
  readonly filters: Filters
  readonly period: Period
  readonly limit: number
  /** Leaves out the first requests. */
  readonly offset?: number | undefined
  /** Only requests older than this one. */
  readonly before?: RequestCursor | undefined
}

const CURSOR = /^(\d{1,16})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/

/**
 * Returns the position that a cursor stands for; undefined for the beginning.
 *
 * @throws InputError for `cursor`
 */
export function parseCursor(text: string | undefined): RequestCursor | undefined {
  if (text === undefined) return undefined
  const [, micros, id] = CURSOR.exec(text) ?? []
  if (micros === undefined || id === undefined) throw new InputError("cursor", "expected `next` of a page")
  return { micros, id }
}

/** Returns the cursor of the page after a row. */
export function toCursor(row: RequestRow): string {
  return `${row["created_at_micros"]}-${row["id"]}`
}

/** Lists the newest requests, newest first. `toRequestObject` gives a row's JSON form. */
export async function listRequests(
  { database }: Context<"database">,
  input: RequestsInput,
): Promise<readonly RequestRow[]> {
  return (await database.query<RequestRow>(askRequests(input))).rows
}
