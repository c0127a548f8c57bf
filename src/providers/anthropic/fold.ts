import { NO_READING, type Reading, type Units } from "../../core/usage.ts"
import type { Shape } from "../../kit/json/prune.ts"
import type { StoredResponse } from "../_dialect.ts"
import { createTextCounter, textNames } from "../_estimate.ts"
import type { Fold, JsonObject } from "../_fold.ts"
import { createParts, rereadParts } from "../_parts.ts"
import { boundedJson } from "../_raw.ts"
import { countOf, listOf, objectOf, textOf } from "../_values.ts"
import { mergeUsage } from "./merge.ts"
import { contradictionIn, readParts, saysTokens } from "./usage.ts"

const USAGE = Buffer.from('"usage"')
const TEXT = textNames("text", "partial_json", "thinking")

/** Folds Anthropic's Messages: whole, streamed, and the lines of a batch's results. */
export function createAnthropicFold({ free }: { readonly free: boolean }): Fold {
  let model: string | undefined
  let usage: JsonObject | undefined
  let stopReason: string | undefined
  let content = false
  /** A stream whose last word on usage has not come yet. */
  let open = false
  const lines = createParts()
  const counter = createTextCounter(TEXT)

  function addMessage(message: JsonObject) {
    model = textOf(message["model"]) ?? model
    stopReason = textOf(message["stop_reason"]) ?? stopReason
    usage = objectOf(message["usage"]) ?? usage
    content ||= listOf(message["content"]).length > 0
  }

  function addLine(message: JsonObject) {
    const said = objectOf(message["usage"])
    if (!said || !saysTokens(said)) return
    for (const part of readParts(said, textOf(message["model"]))) {
      const units = part.role === "answer" ? unitsOf(said) : {}
      lines.add({ ...part, units, raw: said, inconsistent: contradictionIn(said) })
    }
  }

  return {
    shape: SHAPE,
    wants(data) {
      if (data.includes(USAGE)) return true
      counter.addEvent(data)
      return false
    },
    add(document) {
      switch (document["type"]) {
        case "message_start": {
          const message = objectOf(document["message"])
          if (message) addMessage(message)
          open = true
          return
        }
        case "message_delta": {
          const said = objectOf(document["usage"])
          stopReason = textOf(objectOf(document["delta"])?.["stop_reason"]) ?? stopReason
          if (said) usage = mergeUsage(usage ?? {}, said)
          open = false
          return
        }
        default: {
          const result = objectOf(document["result"])
          const message = objectOf(result?.["message"])
          if (message) addLine(message)
          else if (!result) addMessage(document)
        }
      }
    },
    reading() {
      if (!lines.isEmpty()) return { ...lines.reading(), tier: "batch" }
      // Of a cut stream the start knows the input; the output is at least what came.
      if (open && usage) {
        usage = { ...usage, output_tokens: Math.max(countOf(usage["output_tokens"]) ?? 0, counter.tokens()) }
      }
      if (free || !usage || !saysTokens(usage)) return { ...NO_READING, model, free }
      const output = countOf(usage["output_tokens"]) ?? 0
      return {
        ...readAnswer(usage, model),
        raw: boundedJson(usage),
        source: open ? "estimated" : "reported",
        // Since 2026-06-02 a refusal that gave nothing is not billed.
        free: stopReason === "refusal" && output === 0 && !content,
      }
    },
  }
}

const MESSAGE_SHAPE = { model: true, stop_reason: true, usage: true, content: [{ type: true }] } satisfies Shape

const SHAPE: Shape = {
  ...MESSAGE_SHAPE,
  type: true,
  message: MESSAGE_SHAPE,
  delta: { stop_reason: true },
  result: { type: true, message: MESSAGE_SHAPE },
}

/** All that a usage object says of an answer. */
function readAnswer(usage: JsonObject, model: string | undefined): Reading {
  return {
    ...NO_READING,
    model,
    parts: readParts(usage, model),
    units: unitsOf(usage),
    tier: textOf(usage["service_tier"])?.toLowerCase(),
    speed: textOf(usage["speed"])?.toLowerCase(),
    geo: geoOf(usage["inference_geo"]),
    source: "reported",
    inconsistent: contradictionIn(usage),
  }
}

export function rereadAnthropic({ raw, model }: StoredResponse): Reading | undefined {
  const usage = objectOf(raw)
  if (!usage) return undefined
  const many = rereadParts(usage)
  if (many || !saysTokens(usage)) return many
  return { ...readAnswer(usage, model), raw }
}

function unitsOf(usage: JsonObject): Units {
  const searches = countOf(objectOf(usage["server_tool_use"])?.["web_search_requests"])
  return searches ? { webSearches: searches } : {}
}

function geoOf(value: unknown): string | undefined {
  const geo = textOf(value)?.toLowerCase()
  return geo === "not_available" ? undefined : geo
}
