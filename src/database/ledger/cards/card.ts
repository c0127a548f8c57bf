import { createHash } from "node:crypto"
import type { CostLine, PriceCertificate } from "../../../core/cost.ts"
import { formatDecimal, parseDecimal } from "../../../core/decimal.ts"
import type { LogRecord } from "../../../core/log-record.ts"
import { quoteTemplate, readNumbers, type Shape, shapeOf, toGap, toTemplate, toTemplateText } from "./shape.ts"

/** A card as it is stored in `llm_cards`: what many rows have in common, as two JSON texts with gaps for their values, and with `'` in place of `"`. */
export interface StoredCard {
  /** The first 64 bits of the SHA-256 of the other members, as a signed decimal number. */
  readonly id: string
  readonly price: string
  /** Null: the rows have no usage. */
  readonly usage: string | null
  /** The positions of the values that are multiplied by `units`, as an array of PostgreSQL: `{1,3}`. */
  readonly quantities: string
  readonly units: string
}

/** A card with what decides whether a row has it. */
export interface Card extends StoredCard {
  /** Undefined: the rows have no usage. */
  readonly usageShape: Shape | undefined
  readonly lines: readonly CardLine[]
  readonly rest: CardRest
}

/** A line of a certificate. */
interface CardLine {
  readonly like: CostLine
  /** The index of the value that is the quantity. -1: the line adds a value of its own. */
  readonly quantity: number
  /** The price of one token or piece in 10^-12 USD, of which the amount is a multiple. 0: the amount is a value. */
  readonly unit: number
}

interface CardRest {
  readonly tier: string | undefined
  readonly reason: string | undefined
  readonly factors: Shape | undefined
  readonly isReported: boolean
  readonly isComputed: boolean
}

type Content = Pick<LogRecord, "usage"> & { readonly price: PriceCertificate }

/** Returns the values with which a row fills the gaps of a card; undefined if the card is not the row's. */
export function readValues(card: Card, { price, usage }: Content): unknown[] | undefined {
  const values: unknown[] = []
  if (card.usageShape === undefined) {
    if (usage !== undefined) return undefined
  } else if (!readNumbers(card.usageShape, usage, values)) return undefined
  const { lines } = card
  if (price.lines.length !== lines.length) return undefined
  for (let i = 0; i < lines.length; i++) if (!readLine(lines[i]!, price.lines[i]!, values)) return undefined
  return readRest(card.rest, price, values) ? values : undefined
}

function readLine({ like, quantity, unit }: CardLine, line: CostLine, values: unknown[]): boolean {
  if (
    line.bucket !== like.bucket ||
    line.rate !== like.rate ||
    line.model !== like.model ||
    line.factor !== like.factor ||
    line.side !== like.side ||
    line.per !== like.per ||
    line.kind !== like.kind ||
    line.source !== like.source ||
    line.date !== like.date
  ) {
    return false
  }
  if (quantity === -1) {
    if (!Number.isFinite(line.quantity)) return false
    values.push(line.quantity)
  } else if (values[quantity] !== line.quantity) return false
  if (unit > 0) return isMultiple(line, unit)
  values.push(line.amount)
  return DECIMAL.test(line.amount)
}

function readRest(rest: CardRest, price: PriceCertificate, values: unknown[]): boolean {
  const { tier, reason, factors, reported, computed } = price
  if (tier !== rest.tier || reason !== rest.reason) return false
  if (rest.factors === undefined ? factors !== undefined : !readNumbers(rest.factors, factors, [])) return false
  return readAmount(reported, rest.isReported, values) && readAmount(computed, rest.isComputed, values)
}

function readAmount(amount: string | undefined, isExpected: boolean, values: unknown[]): boolean {
  if (amount === undefined) return !isExpected
  values.push(amount)
  return isExpected && DECIMAL.test(amount)
}

/** A value must not contain a comma or a quote, which would end it. */
const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** Returns whether the amount of a line is `quantity × unit` to the digit, so that the database can compute it. */
function isMultiple({ quantity, amount }: CostLine, unit: number): boolean {
  const units = quantity * unit
  return units <= Number.MAX_SAFE_INTEGER && Number.isInteger(quantity) && toUnits(amount) === units
}

const ZERO = 48
const NINE = 57
const POINT = 46
const DIGITS = 12
/** 10^12, 10^11 and so on, by the number of digits after the point. */
const SCALES = Array.from({ length: DIGITS + 1 }, (_, digits) => 10 ** (DIGITS - digits))

/**
 * Returns an amount in 10^-12 USD. -1: it is not written as PostgreSQL writes it, such as `1e-7`, `0.10` or `007`. Above the
 * safe integers, the number is only an approximation, and not below them.
 */
function toUnits(amount: string): number {
  let units = 0
  let point = -1
  for (let i = 0; i < amount.length; i++) {
    const code = amount.charCodeAt(i)
    if (code === POINT && point === -1) point = i
    else if (code < ZERO || code > NINE) return -1
    else units = units * 10 + code - ZERO
  }
  const isPadded = amount.charCodeAt(0) === ZERO && amount.length > 1 && point !== 1
  const digits = point === -1 ? 0 : amount.length - point - 1
  const isLong = point !== -1 && (digits === 0 || amount.charCodeAt(amount.length - 1) === ZERO)
  if (isPadded || isLong || point === 0 || amount === "") return -1
  return units * (SCALES[digits] ?? Number.NaN)
}

/** Makes a card of a row. Throws for a row that cannot be serialized, or has an apostrophe in a text. */
export function toCard(content: Content): Card {
  const usageShape = content.usage === undefined ? undefined : shapeOf(JSON.parse(JSON.stringify(content.usage)))
  const numbers: unknown[] = []
  if (usageShape !== undefined) readNumbers(usageShape, content.usage, numbers)
  const lines = content.price.lines.map((like) => ({
    like,
    quantity: numbers.indexOf(like.quantity),
    unit: toUnit(like),
  }))
  const { tier, reason, factors, reported, computed } = content.price
  const rest = {
    tier,
    reason,
    factors: factors && shapeOf(factors),
    isReported: reported !== undefined,
    isComputed: computed !== undefined,
  }
  const usage = usageShape === undefined ? null : quoteTemplate(toTemplate(usageShape))
  const derived = toDerived(lines, numbers.length)
  const stored = { price: quoteTemplate(toPriceTemplate(lines, rest, numbers.length)), usage, ...derived }
  return { id: toId(stored), ...stored, usageShape, lines, rest }
}

/** Returns the price of one token or piece in 10^-12 USD; 0 if it is no whole number, or the amount not a multiple of it. */
function toUnit(line: CostLine): number {
  try {
    const product = parseDecimal(line.rate) * parseDecimal(line.factor)
    const divisor = 10n ** 24n * (line.per === "million" ? 1_000_000n : 1n)
    const unit = product % divisor === 0n ? Number(product / divisor) : 0
    return isMultiple(line, unit) ? unit : 0
  } catch {
    return 0 // not a plain decimal
  }
}

/** Returns the positions of the quantities that are multiplied, beginning with 1, and the units in USD. */
function toDerived(lines: readonly CardLine[], numberCount: number) {
  const quantities: number[] = []
  const units: string[] = []
  let count = numberCount
  for (const { quantity, unit } of lines) {
    const position = quantity === -1 ? ++count : quantity + 1
    if (unit === 0) count++
    else {
      quantities.push(position)
      units.push(formatDecimal(BigInt(unit) * 1_000_000n))
    }
  }
  return { quantities: `{${quantities}}`, units: `{${units}}` }
}

function toPriceTemplate(lines: readonly CardLine[], rest: CardRest, numberCount: number): string {
  const ownValues = lines.reduce((sum, { quantity, unit }) => sum + Number(quantity === -1) + Number(unit === 0), 0)
  let value = numberCount
  let derived = numberCount + ownValues + Number(rest.isReported) + Number(rest.isComputed)
  const written = lines.map(({ like, quantity, unit }) => {
    const { side, bucket, kind, model, rate, per, factor, source, date } = like
    const count = toGap(quantity === -1 ? ++value : quantity + 1)
    const amount = toGap(unit === 0 ? ++value : ++derived)
    return `{${toMembers({ side, bucket, kind, model })},"quantity":${count},${toMembers({ rate, per, factor })},"amount":"${amount}",${toMembers({ source, date })}}`
  })
  const { tier, reason, factors, isReported, isComputed } = rest
  const members = [
    `"lines":[${written}]`,
    toMembers({ tier }),
    factors && `"factors":${toTemplate(factors)}`,
    toMembers({ reason }),
    isReported && `"reported":"${toGap(++value)}"`,
    isComputed && `"computed":"${toGap(++value)}"`,
  ]
  return `{${members.filter(Boolean)}}`
}

function toMembers(texts: Readonly<Record<string, string | undefined>>): string {
  const known = Object.entries(texts).filter(([, text]) => text !== undefined)
  return known.map(([name, text]) => `"${name}":${toTemplateText(text)}`).join()
}

function toId({ price, usage, quantities, units }: Omit<StoredCard, "id">): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([price, usage, quantities, units]))
    .digest()
  return digest.readBigInt64BE().toString()
}
