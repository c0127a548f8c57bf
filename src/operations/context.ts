import type { BodyReader } from "../bodies/read.ts"
import type { Settings } from "../config/settings.ts"
import type { Actor } from "../core/actor.ts"
import type { Database } from "../database/_database.ts"
import type { PriceBook } from "../pricing/price-book.ts"

export type { Database }

/** Everything that an operation may use. The caller opens these resources and closes them. */
interface Resources {
  readonly settings: Settings
  readonly database: Database
  readonly prices: PriceBook
  readonly bodies: BodyReader
  /** Who calls: the audit log names them. */
  readonly actor: Actor
  /** Returns the current time in milliseconds since the epoch. */
  now(): number
  /** Takes a line for the person who waits, such as "note: the schema is being upgraded". Never contains a secret. */
  log(line: string): void
  /** Takes how much of a long operation is done, both numbers in the operation's own unit (usually requests). */
  onProgress(done: number, total: number): void
}

/** The resources that an operation needs, by name: `Context<"database" | "now">`. */
export type Context<Name extends keyof Resources> = Pick<Resources, Name>
