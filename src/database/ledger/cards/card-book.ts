import type { LogRecord } from "../../../core/log-record.ts"
import { type Card, readValues, type StoredCard, toCard } from "./card.ts"
import { givesBack } from "./check.ts"

/** Cards and hashes that `llm_cards` and `llm_credential_hashes` must have before rows can refer to them. */
export interface NewCards {
  readonly cards: readonly StoredCard[]
  readonly hashes: readonly string[]
}

/** A row that is a card and values: the members of its JSON line for both, without its certificate and its usage. */
export type CardMembers = string

/** The cards of one day, so that they follow the prices. More are not made: their rows are stored whole. */
const MAX_CARDS = 4096
/** The credentials of one day. */
const MAX_HASHES = 16_384
/** The cards among which that of a row is looked for. The one that was not used for the longest time is forgotten. */
const MAX_CARDS_OF_MODEL = 48
/** A longer card would not be read much faster than its rows. */
const MAX_LENGTH = 8192

const DAY_LENGTH = "2026-11-01".length
const HASH = /^[0-9a-f]{64}$/

/** The cards that a process has made of its rows, and those of them that the database may lack. */
export class CardBook {
  private readonly ofModel = new Map<string, KnownCard[]>()
  private readonly hashes = new Set<string>()
  private cards: StoredCard[] = []
  /** The number of cards and hashes, of the first ones, that the database has. */
  private stored = { cards: 0, hashes: 0 }
  private day = ""
  private lastHash = ""

  /** Returns the card of a row with its values; undefined for a row that is stored whole. Never throws. */
  find(record: LogRecord): CardMembers | undefined {
    const { price, model, created_at, provider_api_key_hash: hash } = record
    if (this.day === "" || !created_at.startsWith(this.day)) this.begin(created_at.slice(0, DAY_LENGTH))
    if (hash !== undefined && hash !== this.lastHash) this.addHash(hash)
    // The reason of a contradiction names numbers, and a usage of null is not known.
    if (record.cost_status === "inconsistent" || record.usage === null) return undefined
    if (price === undefined || price.lines.length === 0) return undefined
    const content = { price, usage: record.usage }
    const known = this.ofModel.get(model) ?? []
    for (let i = 0; i < known.length; i++) {
      const values = readValues(known[i]!.card, content)
      if (values === undefined) continue
      if (i > 0) [known[i - 1], known[i]] = [known[i]!, known[i - 1]!]
      return toMembers(known[i > 0 ? i - 1 : 0]!, values)
    }
    return this.add(model, known, content)
  }

  /** Returns what the database may lack, until `markStored` is called for it. */
  listNew(): NewCards | undefined {
    const { cards, hashes } = this.stored
    if (cards === this.cards.length && hashes === this.hashes.size) return undefined
    return { cards: this.cards.slice(cards), hashes: [...this.hashes].slice(hashes) }
  }

  markStored({ cards, hashes }: NewCards): void {
    this.stored = { cards: this.stored.cards + cards.length, hashes: this.stored.hashes + hashes.length }
  }

  /** The database may be another one from now on, or have lost its last rows. */
  forgetStored(): void {
    this.stored = { cards: 0, hashes: 0 }
  }

  private begin(day: string): void {
    this.day = day
    this.lastHash = ""
    this.ofModel.clear()
    const hashes = [...this.hashes].slice(this.stored.hashes)
    this.hashes.clear()
    for (const hash of hashes) this.hashes.add(hash)
    this.cards = this.cards.slice(this.stored.cards)
    this.stored = { cards: 0, hashes: 0 }
  }

  private addHash(hash: string): void {
    this.lastHash = hash
    if (this.hashes.size < MAX_HASHES && HASH.test(hash)) this.hashes.add(hash)
  }

  private add(model: string, known: KnownCard[], content: Parameters<typeof toCard>[0]): CardMembers | undefined {
    if (this.cards.length >= MAX_CARDS) return undefined
    const made = tryMaking(content)
    if (made === undefined) return undefined
    if (known.length >= MAX_CARDS_OF_MODEL) known.pop()
    known.push(made.known)
    this.ofModel.set(model, known)
    const { id, price, usage, quantities, units } = made.known.card
    this.cards.push({ id, price, usage, quantities, units })
    return toMembers(made.known, made.values)
  }
}

interface KnownCard {
  readonly card: Card
  /** The members of a line that are the same in all rows with the card. */
  readonly members: string
}

/** Returns undefined for a row that a card cannot give back. */
function tryMaking(content: Parameters<typeof toCard>[0]) {
  try {
    const card = toCard(content)
    if (card.price.length + (card.usage?.length ?? 0) > MAX_LENGTH) return undefined
    const values = readValues(card, content)
    if (values === undefined || !givesBack(card, values, content)) return undefined
    const { id, price, usage, quantities, units } = card
    const written = { card: id, card_price: price, card_usage: usage, card_quantities: quantities, card_units: units }
    return { known: { card, members: JSON.stringify(written).slice(1, -1) }, values }
  } catch {
    return undefined // what makes it fail is reported when the row is serialized as a whole
  }
}

function toMembers({ members }: KnownCard, values: readonly unknown[]): CardMembers {
  return `,${members},"card_values":"${values.join()}"`
}
