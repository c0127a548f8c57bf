import type { Bind } from "./_sql.ts"

/**
 * The metadata names that group requests into a run of an agent and place them in it (`planner/tool:search`). A request
 * without a trace belongs to the run of its session.
 */
export const RUN_NAMES = { trace: "Trace-Id", session: "Session-Id", path: "Span-Path", span: "Span-Name" } as const

const textOf = (name: string) => `nullif(r.raw_metadata ->> '${name}', '')`

/** The id of a row's run; NULL: it belongs to no run. */
export const RUN_ID = `coalesce(${textOf(RUN_NAMES.trace)}, ${textOf(RUN_NAMES.session)})`

/** The index idx_llm_requests_run has this beginning of the id. */
const INDEXED_LENGTH = 255

/** Returns the condition for the rows of one run. */
export function isOfRun(id: string, bind: Bind): string {
  return isSameRun(`${bind(id)}::text`)
}

/** Returns the condition for the rows of the run whose id an SQL expression has. */
export function isSameRun(id: string): string {
  return `left(${RUN_ID}, ${INDEXED_LENGTH}) = left(${id}, ${INDEXED_LENGTH}) AND ${RUN_ID} = ${id}`
}
