import type { LogRecord } from "../../core/log-record.ts"
import { addAmounts } from "../usage/allocate.ts"

/** The imported requests of one model. Money is USD as a plain decimal. */
export interface ImportedModel {
  readonly provider: string
  readonly model: string
  readonly requests: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_cost: string
  /** The requests without a cost. */
  readonly unpriced: number
}

interface BadLine {
  readonly line: number
  readonly reason: string
}

/** The result of an import. */
export interface ImportResult {
  /** Undefined if no request was added. */
  readonly id: string | null
  readonly source: string
  readonly dry_run: boolean
  readonly records: number
  /** The requests that were added, or would be. */
  readonly requests: number
  /** The requests that were there already. */
  readonly known: number
  /** The requests that are left out because requests of their time were pruned. */
  readonly pruned: number
  /** The requests outside of since and until. */
  readonly outside: number
  readonly skipped: readonly { readonly reason: string; readonly records: number }[]
  /** When the first and the last of the requests ended. */
  readonly first_at: string | null
  readonly last_at: string | null
  readonly total_cost: string
  readonly unpriced: number
  readonly models: readonly ImportedModel[]
  readonly bad: number
  /** The first of them. */
  readonly bad_lines: readonly BadLine[]
}

const MAX_BAD_LINES = 100
const MAX_MODELS = 1000

type Counts = { -readonly [K in keyof ImportedModel]: ImportedModel[K] }

/** Adds up what an import finds. Its size depends on the number of models and not on that of requests. */
export class ImportSummary {
  private readonly models = new Map<string, Counts>()
  private readonly skipped = new Map<string, number>()
  private readonly badLines: BadLine[] = []
  private bad = 0
  private first: string | undefined
  private last: string | undefined
  records = 0
  requests = 0
  known = 0
  pruned = 0
  outside = 0

  skip(reason: string): void {
    this.skipped.set(reason, (this.skipped.get(reason) ?? 0) + 1)
  }

  addBadLine(line: number, reason: string): void {
    this.bad++
    if (this.badLines.length < MAX_BAD_LINES) this.badLines.push({ line, reason })
  }

  add({ provider, model, created_at: at, total_cost: cost, input_tokens, output_tokens }: LogRecord): void {
    this.requests++
    if (this.first === undefined || at < this.first) this.first = at
    if (this.last === undefined || at > this.last) this.last = at
    const counts = this.findModel(provider, model)
    counts.requests++
    counts.input_tokens += input_tokens
    counts.output_tokens += output_tokens
    if (cost === undefined) counts.unpriced++
    else counts.total_cost = addAmounts([counts.total_cost, cost])
  }

  private findModel(provider: string, model: string): Counts {
    const name = this.models.size < MAX_MODELS || this.models.has(`${provider}\n${model}`) ? model : "(other)"
    const key = `${provider}\n${name}`
    const found = this.models.get(key)
    if (found !== undefined) return found
    const none = { requests: 0, input_tokens: 0, output_tokens: 0, total_cost: "0", unpriced: 0 }
    const counts = { provider, model: name, ...none }
    this.models.set(key, counts)
    return counts
  }

  toResult(of: Pick<ImportResult, "id" | "source" | "dry_run">): ImportResult {
    const models = [...this.models.values()].sort((a, b) => b.requests - a.requests)
    return {
      ...of,
      records: this.records,
      requests: this.requests,
      known: this.known,
      pruned: this.pruned,
      outside: this.outside,
      skipped: [...this.skipped].map(([reason, records]) => ({ reason, records })),
      first_at: this.first ?? null,
      last_at: this.last ?? null,
      total_cost: addAmounts(models.map(({ total_cost: cost }) => cost)),
      unpriced: models.reduce((sum, { unpriced }) => sum + unpriced, 0),
      models,
      bad: this.bad,
      bad_lines: this.badLines,
    }
  }
}
