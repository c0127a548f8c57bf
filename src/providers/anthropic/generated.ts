import { memberName, type TextCounter } from "../_text-counter.ts"

const DELTA = memberName("delta")
/** `content` is the text of a compaction. */
const TEXTS = [memberName("text"), memberName("thinking"), memberName("content")]
const PARTIAL_JSON = memberName("partial_json")
/** The end of the types `tool_use`, `server_tool_use` and `mcp_tool_use`. */
const TOOL_USE = Buffer.from('tool_use"')
const NAME = memberName("name")

/** Counts what one event of a stream generates. Blocks without a delta are the results of tools, and starts of calls. */
export function countEvent(counter: TextCounter, data: Buffer): void {
  const delta = data.indexOf(DELTA)
  if (delta >= 0) {
    if (counter.addText(data, TEXTS, delta) === 0) counter.addArguments(data, PARTIAL_JSON, delta)
  } else if (data.includes(TOOL_USE)) counter.addToolNames(data, NAME)
}
