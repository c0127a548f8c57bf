import { QuotedName } from "../../kit/json/quoted-name.ts"
import { ENCRYPTED, TextCounter } from "../_text-counter.ts"
import { type JsonObject, listOf, objectOf, textOf } from "../_values.ts"

const TEXT = new QuotedName("text")
const FUNCTION_CALL = new QuotedName("functionCall")
/** Signatures of this length or less contain no thoughts. */
const PLACEHOLDER = 128
const EXECUTABLE_CODE = new QuotedName("executableCode")

/** Counts what the chunks of one stream generate: text, thoughts, function calls and code. */
export class GeneratedCounter extends TextCounter {
  /** Counts a chunk that has only text. Returns false for any other chunk: it must be parsed, and added by `addAnswer`. */
  addEvent(data: Buffer): boolean {
    if (FUNCTION_CALL.isIn(data) || EXECUTABLE_CODE.isIn(data)) return false
    this.onlyTextAt = -1
    if (this.addAllText(data, TEXT) === 1) this.markOnlyText()
    return true
  }

  /** Counts what a parsed chunk generates. */
  addAnswer(answer: JsonObject): void {
    for (const candidate of listOf(answer["candidates"])) {
      const content = objectOf(objectOf(candidate)?.["content"])
      for (const part of listOf(content?.["parts"])) this.addPart(objectOf(part))
    }
  }

  private addPart(part: JsonObject | undefined): void {
    if (!part) return
    const text = part["text"] ?? objectOf(part["executableCode"])?.["code"]
    if (typeof text === "string") this.addParsedText(text)
    const call = objectOf(part["functionCall"])
    const signature = part["thoughtSignature"]
    if (typeof signature === "string" && signature.length > PLACEHOLDER) {
      this.addEncryptedLength(signature.length, ENCRYPTED.gemini)
    }
    if (call) this.addParsedCall(textOf(call["name"]) ?? "", call["args"] ?? valuesOf(call["partialArgs"]))
  }
}

/** Arguments that are streamed come as values with their paths; undefined: there are none. */
function valuesOf(partialArguments: unknown): unknown {
  if (!Array.isArray(partialArguments)) return undefined
  return listOf(partialArguments).map((element) => {
    const { jsonPath: _, willContinue: __, ...value } = objectOf(element) ?? {}
    return Object.values(value)[0]
  })
}
