/** A statement's text and its bound values. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Binds a value and gives the place for it: nothing that a user typed is ever part of the text. */
export type Bind = (value: unknown) => string

export function createStatement(write: (bind: Bind) => string): Statement {
  const values: unknown[] = []
  const bind = (value: unknown) => `$${values.push(value)}`
  return { text: write(bind), values }
}

/** The time by which a row belongs to a period: when the request ended, as in hand-written `DATE(created_at)`. */
export const TIME = "r.created_at"

/** What counts as an error: the provider or we said so, or there was no whole answer. */
export const IS_ERROR = "(r.status_code >= 400 OR r.outcome IN ('upstream_broke', 'gateway_died'))"
