import { askRequests, type Filters, type Period } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import type { RequestRow } from "./row.ts"

interface RequestsInput {
  readonly filters: Filters
  readonly period: Period
  readonly limit: number
  /** Leaves out the first requests. */
  readonly offset?: number | undefined
}

/** Lists the newest requests, newest first. `toRequestObject` gives a row's JSON form. */
export async function listRequests(
  { database }: Context<"database">,
  input: RequestsInput,
): Promise<readonly RequestRow[]> {
  return (await database.query<RequestRow>(askRequests(input))).rows
}
