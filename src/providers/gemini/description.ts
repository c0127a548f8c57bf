import type { DescriptionReader } from "../_description.ts"
import { listOf } from "../_values.ts"
import { unwrap } from "./shapes.ts"

const ANSWER = { responseId: true, candidates: [{ index: true, finishReason: true }] } as const

/** Reads the id of an answer and why its candidates ended. The collector reads the chunks that have them in any case. */
export const DESCRIPTION: DescriptionReader = {
  shape: { ...ANSWER, response: ANSWER },
  read(document, description) {
    const answer = unwrap(document)
    description.addId(answer["responseId"])
    description.addChoices(listOf(answer["candidates"]), "finishReason")
  },
}
