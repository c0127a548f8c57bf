import { ENCRYPTED, memberName, TextCounter } from "../_text-counter.ts"
import { type JsonObject, objectOf, textOf } from "../_values.ts"

const DELTA = memberName("delta")
/** `content` is the text of a compaction. */
const TEXTS = [memberName("text"), memberName("thinking"), memberName("content")]
const PARTIAL_JSON = memberName("partial_json")
/** The end of the types `tool_use`, `server_tool_use` and `mcp_tool_use`. */
const TOOL_USE = Buffer.from('tool_use"')
const NAME = memberName("name")
const SIGNATURE_DELTA = memberName("signature_delta")
const SIGNATURE = memberName("signature")

/** Counts what one event of a stream generates. Blocks without a delta are the results of tools, and starts of calls. */
export function countEvent(counter: TextCounter, data: Buffer): void {
  const delta = data.indexOf(DELTA)
  if (delta >= 0) {
    if (counter.addText(data, TEXTS, delta) > 0) return
    counter.addArguments(data, PARTIAL_JSON, delta)
    // A signature ends the thinking of a block. Where no text came before it, the thinking is hidden.
    if (!counter.hasText && data.includes(SIGNATURE_DELTA)) counter.addEncrypted(data, SIGNATURE, ENCRYPTED.anthropic)
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
