import type { Bucket } from "../../../core/reconciliation.ts"
import { findBucket, findTier } from "../_bucket.ts"
import { findClaude } from "../_model-name.ts"

export interface Sku {
  readonly model: string | undefined
  readonly tier: string | undefined
  readonly bucket: Bucket
}

/** "Image" belongs to the model only if the medium of the tokens follows, as in `Gemini 2.5 Flash Image Image Output`. */
const GEMINI =
  /gemini (?:(embedding(?: \d+)?)|(?:(live) )?(\d+(?:\.\d+)?) (pro|flash|ultra|nano)( lite)?( image(?= (?:ga |preview )?(?:text|image|output image|input image)))?(?: ga)?( preview)?( live| tts)?)/

/**
 * Reads the description of a SKU of Vertex AI or of the Gemini API, such as `Gemini 2.5 Flash GA Text Input - Predictions`,
 * `Generate content output token count gemini 3 flash text flex` or `Claude Sonnet 4.5 - Cache Read Input Tokens`.
 */
export function readSku(description: string): Sku {
  const text = description.toLowerCase().replaceAll(/[_-]/g, " ").replaceAll(/\s+/g, " ")
  const gemini = GEMINI.exec(text)
  const claude = gemini === null ? findClaude(description) : undefined
  const model = gemini === null ? claude : toId(gemini)
  if (model === undefined) return { model, tier: undefined, bucket: findBucket(text) ?? "other" }
  // The name of the model can have words of media and tools.
  const rest = gemini === null ? text : text.replace(gemini[0], " ")
  return { model, tier: findTier(rest), bucket: findBucket(rest) ?? "other" }
}

/** Google's ids keep `.0` of version 2 only: `gemini-2.0-flash`, `gemini-3-pro`. */
function toId([, embedding, , number = "", size, lite, image, preview, live]: RegExpExecArray): string {
  if (embedding !== undefined) return `gemini-${embedding}`.replaceAll(" ", "-")
  const version = Number(number) >= 3 ? number.replace(/\.0$/, "") : number
  return ["gemini", version, size, lite, image, preview, live]
    .filter((part) => part !== undefined)
    .map((part) => part.trim())
    .join("-")
}
