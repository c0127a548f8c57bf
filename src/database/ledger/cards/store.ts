import type { Database } from "../../_database.ts"
import { kindOfFailure } from "../data-errors.ts"
import type { CardBook, NewCards } from "./card-book.ts"

// In the order of their ids, so that gateways that add the same ones wait for each other and not in a circle.
const ADD_CARDS = `INSERT INTO llm_cards (id, price, usage, quantities, units)
  SELECT id, price, usage, quantities, units
  FROM json_to_recordset($1::json) AS card(id bigint, price text, usage text, quantities integer[], units numeric[])
  ORDER BY id ON CONFLICT (id) DO NOTHING`

const ADD_HASHES = `INSERT INTO llm_credential_hashes (id, hash)
  SELECT ${toHashId("hash")}, hash FROM unnest($1::text[]) AS given (hash) ORDER BY 1 ON CONFLICT (id) DO NOTHING`

/** Returns the id of a hash in hexadecimal digits as SQL: its first 64 bits. */
export function toHashId(hash: string): string {
  return `('x' || left(${hash}, 16))::bit(64)::bigint`
}

/**
 * Adds what the database may lack, each in a transaction of its own, before the rows that refer to it. A row whose card is
 * not there when it is inserted is stored whole, so nothing depends on when this happens.
 * @throws if the database cannot be reached
 */
export async function storeNewCards(db: Database, book: CardBook, timeoutMs: number): Promise<void> {
  const added = book.listNew()
  if (added === undefined) return
  try {
    await insert(db, added, timeoutMs)
  } catch (error) {
    const kind = kindOfFailure(error)
    if (kind === "lost" || kind === "passing") throw error
  }
  book.markStored(added)
}

async function insert(db: Database, { cards, hashes }: NewCards, timeoutMs: number): Promise<void> {
  if (cards.length > 0) await db.query({ text: ADD_CARDS, values: [JSON.stringify(cards)], timeoutMs })
  if (hashes.length > 0) await db.query({ text: ADD_HASHES, values: [hashes], timeoutMs })
}
