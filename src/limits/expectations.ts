/** Buckets are a quarter of an octave wide: an expectation is at most 19 % above what was seen. */
const BUCKETS_PER_OCTAVE = 4
const BUCKETS = 24 * BUCKETS_PER_OCTAVE
const PERCENTILE = 0.95
/** Fewer answers say nothing about the usual size. */
const MIN_ANSWERS = 8
/** Later answers count more: all counts are halved when there are this many. */
const MAX_ANSWERS = 512
/** The percentile is computed again after this many answers. */
const STALE_AFTER = 8
const MAX_GROUPS = 10_000

/** The sizes of the answers to one API key by one model. */
class AnswerSizes {
  readonly keyId: string
  readonly model: string
  private readonly counts = new Uint16Array(BUCKETS)
  private total = 0
  private unseen = 0
  private known: number | undefined = undefined

  constructor(keyId: string, model: string) {
    this.keyId = keyId
    this.model = model
  }

  add(tokens: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(1, tokens)) * BUCKETS_PER_OCTAVE)
    const index = Math.min(bucket, BUCKETS - 1)
    this.counts[index] = this.counts[index]! + 1
    this.total++
    this.unseen++
    if (this.total >= MAX_ANSWERS) this.halve()
  }

  expected(): number | undefined {
    if (this.total < MIN_ANSWERS) return undefined
    if (this.known === undefined || this.unseen >= STALE_AFTER) {
      this.known = this.percentile()
      this.unseen = 0
    }
    return this.known
  }

  private percentile(): number {
    let rest = Math.ceil(this.total * PERCENTILE)
    let bucket = 0
    while (bucket < BUCKETS - 1 && this.counts[bucket]! < rest) rest -= this.counts[bucket++]!
    return Math.ceil(2 ** (bucket / BUCKETS_PER_OCTAVE))
  }

  private halve(): void {
    this.total = 0
    for (let i = 0; i < BUCKETS; i++) {
      this.counts[i] = this.counts[i]! >> 1
      this.total += this.counts[i]!
    }
  }
}

/** Learns from answers which model answers to a requested name, and how long the answers of an API key and a model are. */
interface Expectations {
  /** Returns the model that answered the latest request for this name, else the name. */
  modelOf(provider: string, requestedModel: string): string
  /** Returns the output tokens that 95 % of the answers stay below; undefined: too few answers are known. */
  outputOf(keyId: string, model: string): number | undefined
  learnModel(provider: string, requestedModel: string, model: string): void
  learnOutput(keyId: string, model: string, tokens: number): void
}

export function createExpectations(): Expectations {
  const models = new Map<string, Map<string, string>>()
  const sizes = new Map<string, Map<string, AnswerSizes>>()
  /** The same, in the order in which they were created. */
  const groups = new Set<AnswerSizes>()
  let modelCount = 0

  return {
    modelOf: (provider, requestedModel) => models.get(provider)?.get(requestedModel) ?? requestedModel,
    outputOf: (keyId, model) => sizes.get(keyId)?.get(model)?.expected(),

    learnModel(provider, requestedModel, model) {
      const known = models.get(provider)
      if (model === "" || (known?.get(requestedModel) ?? requestedModel) === model) return
      if (known?.has(requestedModel) !== true && ++modelCount > MAX_GROUPS) {
        models.clear()
        modelCount = 1
      }
      const names = models.get(provider) ?? new Map<string, string>()
      models.set(provider, names.set(requestedModel, model))
    },

    learnOutput(keyId, model, tokens) {
      const known = sizes.get(keyId)?.get(model)
      const size = known ?? new AnswerSizes(keyId, model)
      if (known === undefined) keep(size)
      size.add(tokens)
    },
  }

  function keep(size: AnswerSizes): void {
    if (groups.size >= MAX_GROUPS) forget(groups.values().next().value!)
    groups.add(size)
    const ofKey = sizes.get(size.keyId)
    if (ofKey === undefined) sizes.set(size.keyId, new Map([[size.model, size]]))
    else ofKey.set(size.model, size)
  }

  function forget(size: AnswerSizes): void {
    groups.delete(size)
    const ofKey = sizes.get(size.keyId)
    ofKey?.delete(size.model)
    if (ofKey?.size === 0) sizes.delete(size.keyId)
  }
}
