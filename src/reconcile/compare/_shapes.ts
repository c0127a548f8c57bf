import type { Decimal } from "../../core/decimal.ts"
import type { BillLine, Bucket, Cause, RecordedKind, RecordedLine } from "../../core/reconciliation.ts"

/** The part of a recorded line that counts in one day. */
export interface Entry {
  readonly line: RecordedLine
  readonly quantity: Decimal
  /** USD after discounts; 0 where the gateway has no price. */
  readonly cost: Decimal
}

/** What was billed and recorded of one bucket of a group. */
export interface Cell {
  readonly group: Group
  readonly bucket: Bucket
  /** Tokens or pieces that the bill reports. */
  billed: Decimal
  /** Whether the bill reports a quantity, which can be 0. */
  isReported: boolean
  entries: Entry[]
}

/** One user of one model on one day: the finest detail that the bill and the records share. */
export interface Group {
  readonly day: string
  readonly model: string
  readonly tier: string
  /** The API key (or else the project) of the bill, and the credential that it was matched with. */
  readonly owner: string
  readonly cells: Map<Bucket, Cell>
  readonly projects: Set<string>
  /** Requests that the bill reports. Undefined: it reports none for the group. */
  billedRequests: number | undefined
  readonly requests: Requests[]
}

/** Recorded requests of a group. */
interface Requests {
  readonly kind: RecordedKind
  readonly began: string
  count: number
}

/** A part of the difference, before parts that are alike are added up. */
export interface Finding {
  readonly cause: Cause["cause"]
  /** What distinguishes findings of the same cause; each has a sentence of its own. */
  readonly why: Why
  readonly day: string
  readonly amount: Decimal
  readonly model?: string | undefined
  readonly tier?: string | undefined
  readonly bucket?: Bucket | undefined
  readonly owner?: string | undefined
  readonly project?: string | undefined
  readonly requests?: number | undefined
  /** Billed minus recorded tokens or pieces. */
  readonly quantity?: Decimal | undefined
  readonly item?: string | undefined
  readonly rate?: Rate | undefined
}

/** Findings that differ only in the day and, where they are about the same requests, in the bucket. */
export interface Summary extends Omit<Finding, "day" | "quantity"> {
  readonly days: readonly string[]
  /** Billed minus recorded tokens or pieces, by bucket. */
  readonly quantities: ReadonlyMap<string, Decimal>
}

type Why =
  | "outside"
  | Exclude<RecordedKind, "metered">
  | "tokens"
  | "rate"
  | "no_price"
  | "discount"
  | "credit"
  | "tax"
  | "fees"
  | "missing"
  | "rounding"
  | "no_counts"
  | "item"

/** A billed and a recorded rate, in USD per million tokens or per piece. */
export interface Rate {
  readonly billed: string
  readonly recorded: string | undefined
  readonly per: "million" | "one"
  readonly source: string | undefined
  readonly date: string | undefined
}

/** A line of the bill that has a cost, in the names of the comparison. */
export interface CostLine {
  readonly line: BillLine
  readonly model: string | undefined
  readonly tier: string | undefined
  readonly bucket: Bucket
  readonly owner: string | undefined
  readonly cost: Decimal
  /** Before discounts. Undefined: the provider does not say it. */
  readonly list: Decimal | undefined
}
