import type { CatalogPrices, DatedPrices, OwnModel } from "./catalog-model.ts"
import type { OriginName } from "./origins.ts"

/** DALL-E 3 costs the same in both orientations. */
const DALL_E_3: CatalogPrices = {
  "images/1024x1024 standard": 0.04,
  "images/1024x1792 standard": 0.08,
  "images/1792x1024 standard": 0.08,
  "images/1024x1024 hd": 0.08,
  "images/1024x1792 hd": 0.12,
  "images/1792x1024 hd": 0.12,
}

const DALL_E_2: CatalogPrices = {
  "images/256x256 standard": 0.016,
  "images/512x512 standard": 0.018,
  "images/1024x1024 standard": 0.02,
}

const SORA_SMALL = ["720x1280", "1280x720"]
/** No page of OpenAI's with this price was read; several tables agree on it. Larger sizes have no known price. */
const SORA_LARGE = ["1024x1792", "1792x1024"]

/**
 * Models that are billed by the piece, which genai-prices lacks, in USD per piece: pictures by size and quality, speech by
 * the character, film by the second.
 */
export const PIECE_MODELS: Readonly<Record<"openai" | "google", readonly OwnModel[]>> = {
  openai: [
    model("openaiModels", ["tts-1", "tts-1-1106"], { characters_mcount: 15 }),
    model("openaiModels", ["tts-1-hd", "tts-1-hd-1106"], { characters_mcount: 30 }),
    // They are priced by the length of the sound: 0.017 and 0.034 USD per minute.
    model("openaiModels", ["gpt-realtime-whisper"], { audio_hours: 1.02 }),
    model("openaiModels", ["gpt-live-transcribe"], { audio_hours: 1.02 }),
    model("openaiModels", ["gpt-realtime-translate"], { audio_hours: 2.04 }),
    model("openai2025", ["dall-e-3"], DALL_E_3),
    model("openai2025", ["dall-e-2"], DALL_E_2),
    model("openaiSora", ["sora-2", "sora-2-2025-10-06", "sora-2-2025-12-08"], seconds(SORA_SMALL, 0.1)),
    model("openaiSora", ["sora-2-pro", "sora-2-pro-2025-10-06"], {
      ...seconds(SORA_SMALL, 0.3),
      ...seconds(SORA_LARGE, 0.5),
    }),
  ],
  google: [
    model("googlePage2025", ["imagen-4.0-fast-generate-001"], { images_count: 0.02 }),
    model("googlePage2025", ["imagen-4.0-generate-001"], { images_count: 0.04 }),
    model("googlePage2025", ["imagen-4.0-ultra-generate-001"], { images_count: 0.06 }),
    model("googlePage2025", ["imagen-3.0-generate-002"], { images_count: 0.03 }),
    model("googlePage2025", ["veo-2.0-generate-001"], seconds(["720p"], 0.35)),
    model("googlePage2025", ["veo-3.0-generate-001"], seconds(["720p", "1080p"], 0.4)),
    model("googlePage2025", ["veo-3.0-fast-generate-001"], seconds(["720p", "1080p"], 0.15)),
    model("googlePage", ["veo-3.1-generate-preview", "veo-3.1-generate-001"], {
      ...seconds(["720p", "1080p"], 0.4),
      ...seconds(["4k"], 0.6),
    }),
    model(
      "googlePage",
      ["veo-3.1-fast-generate-preview", "veo-3.1-fast-generate-001"],
      [
        { prices: { ...seconds(["720p", "1080p"], 0.15), ...seconds(["4k"], 0.35) } },
        {
          constraint: { type: "start_date", start_date: "2026-04-07" },
          prices: { ...seconds(["720p"], 0.1), ...seconds(["1080p"], 0.12), ...seconds(["4k"], 0.3) },
        },
      ],
    ),
    model("googlePage", ["veo-3.1-lite-generate-preview", "veo-3.1-lite-generate-001"], {
      ...seconds(["720p"], 0.05),
      ...seconds(["1080p"], 0.08),
    }),
  ],
}

function model(origin: OriginName, names: readonly string[], prices: CatalogPrices | readonly DatedPrices[]): OwnModel {
  return { id: names[0]!, origin, match: { or: names.map((name) => ({ equals: name })) }, prices }
}

/** Returns the same price per second for several sizes or resolutions. */
function seconds(kinds: readonly string[], usd: number): CatalogPrices {
  return Object.fromEntries(kinds.map((kind) => [`videoSeconds/${kind}`, usd]))
}
