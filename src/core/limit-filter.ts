import { type Limit, MAX_VALUE_LENGTH, NO_VALUE } from "./limit.ts"

/** What a limit compares of a request. What is undefined may be anything. */
interface FilteredRequest {
  readonly keyId: string | undefined
  readonly provider: string | undefined
  readonly requestedModel: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/** A text that must be met exactly, or a prefix. */
interface Pattern {
  readonly text: string
  readonly isPrefix: boolean
}

/**
 * Decides which requests a limit counts, and in which group. The database decides the same about rows
 * (`majordomo_limit_requests`); `test/database/limit-filter.test.ts` compares the two.
 */
export class LimitFilter {
  private readonly key: string | undefined
  private readonly provider: string | undefined
  private readonly model: Pattern | undefined
  private readonly where: readonly (readonly [name: string, Pattern])[]
  private readonly per: string | undefined

  constructor({ key, provider, model, where = {}, per }: Pick<Limit, "key" | "provider" | "model" | "where" | "per">) {
    this.key = key
    this.provider = provider?.toLowerCase()
    this.model = model === undefined ? undefined : toPattern(model)
    this.where = Object.entries(where).map(([name, text]) => [name, toPattern(text)] as const)
    this.per = per
  }

  /** @param model the model that answers, or is expected to */
  matches(request: FilteredRequest, model: string | undefined): boolean {
    const { keyId, provider, requestedModel, metadata } = request
    if (this.key !== undefined && keyId !== undefined && this.key !== keyId) return false
    if (this.provider !== undefined && provider !== undefined && this.provider !== provider) return false
    if (this.model !== undefined && !mayMeet(this.model, requestedModel) && !mayMeet(this.model, model)) return false
    for (const [name, pattern] of this.where) {
      const value = metadata[name]
      if (value === undefined || !meets(pattern, value)) return false
    }
    return true
  }

  /** Returns the value of `per` of a request; undefined if it is not known. */
  groupOf({ keyId, metadata }: FilteredRequest, model: string | undefined): string | undefined {
    const { per } = this
    if (per === undefined) return NO_VALUE
    if (per === "key") return keyId
    if (per === "model") return model === undefined ? undefined : toGroup(model)
    return toGroup(metadata[per] ?? NO_VALUE)
  }
}

function toPattern(text: string): Pattern {
  return text.endsWith("*") ? { text: text.slice(0, -1), isPrefix: true } : { text, isPrefix: false }
}

function meets({ text, isPrefix }: Pattern, value: string): boolean {
  return isPrefix ? value.startsWith(text) : value === text
}

function mayMeet(pattern: Pattern, value: string | undefined): boolean {
  return value === undefined || meets(pattern, value)
}

/** Everything but U+0000 and surrogates. */
const PLAIN = /^[\u0001-\ud7ff\ue000-\uffff]*$/
const LONE_SURROGATE = /^[\ud800-\udfff]$/

/** Returns a value as the database has it: without what it cannot store, and cut to a number of code points. */
function toGroup(text: string): string {
  if (text.length <= MAX_VALUE_LENGTH && PLAIN.test(text)) return text
  // A code point has at most two units, so the rest of a long text need not be read.
  const points = Array.from(text.slice(0, 2 * MAX_VALUE_LENGTH + 1)).slice(0, MAX_VALUE_LENGTH)
  return points.map((point) => (point === "\0" || LONE_SURROGATE.test(point) ? "\ufffd" : point)).join("")
}
