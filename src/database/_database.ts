/** One statement. `values` are bound, never spliced. */
export interface Query {
  readonly text: string
  readonly values?: readonly unknown[]
  /** A name makes it a prepared statement. */
  readonly name?: string
  /** Give up on the client's side after so many ms (default 30,000); the connection is then discarded. */
  readonly timeoutMs?: number
}

export interface Result<Row> {
  readonly rows: Row[]
  readonly rowCount: number
}

export type RunQuery = <Row = Record<string, unknown>>(query: Query | string) => Promise<Result<Row>>

/** A PostgreSQL, real or embedded: the rest of the code does not know which. */
export interface Database {
  readonly kind: "postgres" | "embedded"
  /** For people: `PostgreSQL`, or `embedded PostgreSQL (DIRECTORY)`. Never holds a password. */
  readonly title: string
  readonly query: RunQuery
  /** Runs `work` on one connection between BEGIN and COMMIT; ROLLBACK when it throws. */
  transaction<T>(work: (query: RunQuery) => Promise<T>): Promise<T>
  /**
   * LISTEN on a line of its own that reconnects by itself and whose heartbeat notices a dead one.
   * `onState(false)` as soon as notifications may be lost, `onState(true)` when they arrive again, and again with each
   * heartbeat (every 5 s, answered within 3). Resolves after the first attempt to connect, whatever came of it.
   */
  listen(
    channel: string,
    on: { readonly onNotify: (payload: string) => void; readonly onState: (up: boolean) => void },
  ): Promise<{ close(): Promise<void> }>
  close(): Promise<void>
}
