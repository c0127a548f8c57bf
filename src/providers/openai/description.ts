import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { DescriptionReader } from "../_description.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { listOf, objectOf } from "../_values.ts"
import { OPERATIONS } from "./routes.ts"

/** Returns the reader of how an answer describes itself; undefined: it has neither choices nor an end. */
export function readDescription({ method, path }: ProviderRequest): DescriptionReader | undefined {
  const { kind } = OPERATIONS.find(method, path)
  if (kind === "chat" || kind === "completions") return CHOICES
  return kind === "responses" ? RESPONSE : undefined
}

const FINISH = new QuotedName("finish_reason")
const QUOTE = 34
const COLON = 58
const SPACE = 32

const CHOICES: DescriptionReader = {
  shape: { id: true, choices: [{ index: true, finish_reason: true }] },
  wants: endsChoice,
  read(document, description) {
    description.addId(document["id"])
    description.addChoices(listOf(document["choices"]), "finish_reason")
  },
}

/** Returns true if some choice ends in this event. Every event has the member, which is null or empty until then. */
function endsChoice(data: Buffer): boolean {
  for (let name = FINISH.indexOf(data); name >= 0; name = FINISH.indexOf(data, name + FINISH.length)) {
    let at = name + FINISH.length
    while (data[at]! <= SPACE || data[at] === COLON) at++
    if (data[at] === QUOTE && data[at + 1] !== QUOTE) return true
  }
  return false
}

const RESPONSE_SHAPE = { id: true, status: true, incomplete_details: { reason: true } } as const
const RUNNING: ReadonlySet<unknown> = new Set(["queued", "in_progress"])

/** The events that end a response state its usage, so that they are read in any case. */
const RESPONSE: DescriptionReader = {
  shape: { ...RESPONSE_SHAPE, response: RESPONSE_SHAPE },
  read(document, description) {
    const response = objectOf(document["response"]) ?? document
    description.addId(response["id"])
    const { status } = response
    if (!RUNNING.has(status)) {
      description.addReason(objectOf(response["incomplete_details"])?.["reason"] ?? status)
    }
  },
}
