/** One SQL statement. `values` are bound as parameters and never become part of the text. */
export interface Query {
  readonly text: string
  readonly values?: readonly unknown[]
  /** A name makes it a prepared statement. */
  readonly name?: string
  /** The client stops waiting after this time and drops the connection. Default: 30,000 ms. */
  readonly timeoutMs?: number
}

export interface Result<Row> {
  readonly rows: Row[]
  readonly rowCount: number
}

export type RunQuery = <Row = Record<string, unknown>>(query: Query | string) => Promise<Result<Row>>

/** A PostgreSQL database. It is a server or the embedded one; nearly all code treats both alike. */
export interface Database {
  readonly kind: "postgres" | "embedded"
  /** A name for people: `PostgreSQL`, or `embedded PostgreSQL (DIRECTORY)`. It never contains a password. */
  readonly title: string
  readonly query: RunQuery
  /** Runs `work` on one connection between BEGIN and COMMIT. When it throws, the transaction is rolled back. */
  transaction<T>(work: (query: RunQuery) => Promise<T>): Promise<T>
  /**
   * Listens to a channel on a connection of its own, which reconnects by itself. Calls `onState(false)` as soon as
   * notifications may be lost. Calls `onState(true)` when they arrive again, and after each heartbeat (every 5 s, with
   * a timeout of 3 s). Resolves after the first attempt to connect, whether it succeeded or not.
   */
  listen(
    channel: string,
    on: { readonly onNotify: (payload: string) => void; readonly onState: (up: boolean) => void },
  ): Promise<{ close(): Promise<void> }>
  close(): Promise<void>
}
