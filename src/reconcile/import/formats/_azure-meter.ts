import type { Bucket } from "../../../core/reconciliation.ts"
import { createTable } from "../../../core/table.ts"
import { findBucket, findTier } from "../_bucket.ts"
import { findClaude } from "../_model-name.ts"

export interface Meter {
  readonly model: string | undefined
  readonly tier: string
  readonly bucket: Bucket
}

/** What Azure's meters abbreviate. */
const WORDS: Readonly<Record<string, string>> = createTable({
  inp: "input",
  inpt: "input",
  in: "input",
  outp: "output",
  outpt: "output",
  out: "output",
  opt: "output",
  cached: "cache",
  cchd: "cache",
  cd: "cache",
  wr: "write",
  batch: "batch",
  bat: "batch",
  pp: "priority",
  prty: "priority",
  aud: "audio",
  audio: "audio",
  img: "image",
  image: "image",
  input: "input",
  output: "output",
  cache: "cache",
  write: "write",
  priority: "priority",
  flex: "flex",
})
/** Where and how a model is deployed, and the unit. They are not parts of its name. */
const OTHER_WORDS =
  /^(?:gl|glbl|global|dz|dzn|dzone|data|zone|regnl|rgnl|regional|tokens?|1k|1m|shortco|longco|txt|az|ft|std|standard)$/
/** The snapshots that meters name by month and day. */
const SNAPSHOTS: Readonly<Record<string, string>> = createTable({
  "0513": "2024-05-13",
  "0718": "2024-07-18",
  "0806": "2024-08-06",
  "0912": "2024-09-12",
  "1120": "2024-11-20",
  "1217": "2024-12-17",
  "0131": "2025-01-31",
  "0414": "2025-04-14",
  "0416": "2025-04-16",
  "0807": "2025-08-07",
})

/**
 * Reads the name of a meter of Azure, such as `gpt 4o 1120 cached Inp glbl Tokens`, `gpt-4o-mini-0718-Outp-regnl Tokens` or
 * `5.4 opt Dz 1M Tokens`, whose family is in the subcategory, `Azure OpenAI GPT5`.
 */
export function readMeter(meterName: string, subcategory: string): Meter {
  const words = meterName
    .toLowerCase()
    .split(/[\s_]+|-(?=[a-z])|(?<=[a-z\d]{2,})-(?=\d{4}\b)/)
    .filter((word) => word !== "")
  const parts = words.map((word) => WORDS[word])
  const meaning = parts.filter((part) => part !== undefined).join(" ")
  const name = words.filter((word, at) => parts[at] === undefined && !OTHER_WORDS.test(word))
  const bucket =
    findBucket(meaning) ?? findBucket(meterName.toLowerCase()) ?? (/embed/.test(meterName) ? "input" : "other")
  return { model: toModel(name, subcategory), tier: findTier(meaning), bucket }
}

function toModel(words: readonly string[], subcategory: string): string | undefined {
  const name = words.map((word) => SNAPSHOTS[word] ?? word).join("-")
  if (name === "") return undefined
  const claude = findClaude(name.replaceAll("-", " "))
  if (claude !== undefined) return claude
  if (/^gpt\d/.test(name)) return name.replace("gpt", "gpt-")
  if (/^\d/.test(name) && /gpt/i.test(subcategory)) return `gpt-${name}`
  return /^[rv]\d/.test(name) && /deepseek/i.test(subcategory) ? `deepseek-${name}` : name
}
