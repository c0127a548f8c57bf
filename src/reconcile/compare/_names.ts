import type { Bill, Bucket, RecordedSide } from "../../core/reconciliation.ts"

/** Translates the names of both sides into the names under which they are compared. */
export interface Names {
  model(name: string): string
  tier(model: string, tier: string | undefined): string
  bucket(model: string, bucket: Bucket): Bucket
}

/** The tier of a model whose bill does not say the tier. */
export const ANY_TIER = ""

const STANDARD = new Set(["default", "auto", "standard", "standard_only", "on_demand", "unspecified", ""])

/** The bucket in which a bill counts what it does not count apart. */
const WIDER: Readonly<Partial<Record<Bucket, Bucket>>> = {
  cache_write_1h: "cache_write",
  cache_write: "input",
  cache_read: "input",
  audio_input: "input",
  image_input: "input",
  audio_output: "output",
  image_output: "output",
}

/** Buckets that are billed outside tokens. */
export const FEES: ReadonlySet<Bucket> = new Set(["tool", "storage", "session"])
/** Buckets that change the sum of a bill and pay for nothing. */
export const ADJUSTMENTS: ReadonlySet<Bucket> = new Set(["credit", "tax"])

/** Returns whether something is billed by its tokens, or by the pieces of a model. */
export function isForTokens({ bucket }: { readonly bucket: Bucket }): boolean {
  return !FEES.has(bucket) && !ADJUSTMENTS.has(bucket)
}

export function createNames(bill: Bill, recorded: RecordedSide): Names {
  const usage = bill.lines.filter((line) => line.model !== undefined && isForTokens(line))
  const model = createModelNames(
    usage.map((line) => line.model!),
    recorded.lines.map((line) => line.model),
  )
  const withQuantity = usage.filter(({ quantity }) => quantity !== undefined)
  const lines = withQuantity.length > 0 ? withQuantity : usage
  const untiered = new Set(lines.filter(({ tier }) => tier === undefined).map((line) => model(line.model!)))
  const known = new Set(usage.map((line) => line.bucket))
  const buckets = new Map<string, Set<Bucket>>()
  for (const line of lines) {
    const name = model(line.model!)
    buckets.set(name, (buckets.get(name) ?? new Set()).add(line.bucket))
  }
  return {
    model,
    tier: (name, tier) => (untiered.has(name) ? ANY_TIER : normalizeTier(tier)),
    bucket(name, bucket) {
      if (!isForTokens({ bucket })) return bucket
      const own = buckets.get(name)
      if (own?.size === 1 && own.has("all")) return "all"
      let found = bucket
      while (!known.has(found) && WIDER[found] !== undefined) found = WIDER[found]!
      return known.has(found) ? found : bucket
    },
  }
}

function normalizeTier(tier: string | undefined): string {
  const lower = tier?.toLowerCase() ?? ""
  return STANDARD.has(lower) ? "standard" : lower
}

/**
 * Returns a function that gives both sides' names of one model one name. Names that differ only in the form of a date or
 * in a path before them are the same. A name without a date stands for a dated snapshot of the other side: then all
 * snapshots of the model are compared together, because one side does not tell them apart.
 */
function createModelNames(billed: readonly string[], recorded: readonly string[]): (name: string) => string {
  const normal = new Map([...billed, ...recorded].map((name) => [name, normalizeModel(name)]))
  const ofBill = new Set(billed.map((name) => normal.get(name)!))
  const ofRecords = new Set(recorded.map((name) => normal.get(name)!))
  const merged = new Set<string>()
  for (const [here, there] of [
    [ofBill, ofRecords],
    [ofRecords, ofBill],
  ] as const) {
    for (const name of here) {
      const isUndated = withoutDate(name) === name
      if (isUndated && !there.has(name) && [...there].some((other) => withoutDate(other) === name)) merged.add(name)
    }
  }
  return (name) => {
    const found = normal.get(name) ?? normalizeModel(name)
    const undated = withoutDate(found)
    return merged.has(undated) ? undated : found
  }
}

/** An id of Bedrock, such as `us.anthropic.claude-sonnet-4-5-20250929-v1:0`: geography, vendor, name and version. */
const BEDROCK_ID = /^(?:arn:[^/]*\/)?(?:[a-z]{2,6}(?:-gov)?\.)?[a-z][a-z\d]*\.([a-z].*?)(?:-v\d+)?(?::\d+)?(?::\d+k)?$/

/** The names of a model without a vendor's path, in lower case, and with one form of date. */
function normalizeModel(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\//, "")
    .replace(BEDROCK_ID, "$1")
    .replace(/[-@](20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])$/, "-$1-$2-$3")
}

/** Returns the name of a model without its date; names of fine-tuned models stay as they are. */
export function withoutDate(name: string): string {
  return name.startsWith("ft:") ? name : name.replace(/-(?:20\d\d-\d\d-\d\d|latest)$/, "")
}
