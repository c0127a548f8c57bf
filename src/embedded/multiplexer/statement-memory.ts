import type { StatementKind } from "./statement-kind.ts"

/** A client's prepared statement: the Parse message that makes it, with the backend's name, and its kind. */
interface KnownStatement {
  readonly parse: Buffer
  readonly kind: StatementKind
}

/** Stores the prepared statements of one client, so that they can be made again on the backend. */
interface StatementMemory {
  find(name: string): KnownStatement | undefined
  store(name: string, statement: KnownStatement): void
  drop(name: string): void
}

/** Statements beyond this total size are not stored. */
const MAX_STORED_BYTES = 8 * 1024 * 1024

export function createStatementMemory(): StatementMemory {
  const statements = new Map<string, KnownStatement>()
  let bytes = 0

  const drop = (name: string) => {
    bytes -= statements.get(name)?.parse.length ?? 0
    statements.delete(name)
  }
  return {
    find: (name) => statements.get(name),
    store(name, { parse, kind }) {
      drop(name)
      if (bytes + parse.length > MAX_STORED_BYTES) return
      // A copy, because the message may be a view of a much larger chunk.
      statements.set(name, { parse: Buffer.from(parse), kind })
      bytes += parse.length
    },
    drop,
  }
}
