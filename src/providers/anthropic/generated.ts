import { QuotedName } from "../../kit/json/quoted-name.ts"
import { ENCRYPTED, TextCounter } from "../_text-counter.ts"
import { type JsonObject, objectOf, textOf } from "../_values.ts"

const DELTA = new QuotedName("delta")
/** `content` is the text of a compaction. */
const TEXTS = [new QuotedName("text"), new QuotedName("thinking"), new QuotedName("content")]
const PARTIAL_JSON = new QuotedName("partial_json")
/** The end of the types `tool_use`, `server_tool_use` and `mcp_tool_use`. */
const TOOL_USE = Buffer.from('tool_use"')
const NAME = new QuotedName("name")
const SIGNATURE_DELTA = new QuotedName("signature_delta")
const SIGNATURE = new QuotedName("signature")

/** Counts what one event of a stream generates. Blocks without a delta are the results of tools, and starts of calls. */
export function countEvent(counter: TextCounter, data: Buffer): void {
  const delta = DELTA.indexOf(data)
  if (delta >= 0) {
    if (counter.addText(data, TEXTS, delta) > 0) {
      counter.markOnlyText()
      return
    }
    counter.addArguments(data, PARTIAL_JSON, delta)
    // A signature ends the thinking of a block. Where no text came before it, the thinking is hidden.
    if (!counter.hasText && SIGNATURE_DELTA.isIn(data)) counter.addEncrypted(data, SIGNATURE, ENCRYPTED.anthropic)
  } else if (data.includes(TOOL_USE)) counter.addToolNames(data, NAME)
}

/** Counts what a whole message contains that reports no usage: text, thinking and tool calls. */
export function countMessage(content: readonly unknown[]): TextCounter {
  const counter = new TextCounter()
  for (const element of content) {
    const block: JsonObject = objectOf(element) ?? {}
    counter.addParsedText(block["text"])
    counter.addParsedText(block["thinking"])
    const { signature } = block
    if (typeof signature === "string" && !block["thinking"])
      counter.addEncryptedLength(signature.length, ENCRYPTED.anthropic)
    if (block["input"] !== undefined) counter.addParsedCall(textOf(block["name"]) ?? "", block["input"])
  }
  return counter
}
