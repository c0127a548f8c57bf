import { skipSpace } from "../../kit/json/members.ts"
import { memberName, SHORT_PIECE_BYTES, TextCounter } from "../_text-counter.ts"
import type { Kind } from "./routes.ts"

const OPEN_BRACKET = 91

/** Counts what one event of a stream generates. */
type CountEvent = (counter: TextCounter, data: Buffer) => void

/** The kinds of streams that are billed by their text. */
const COUNTERS: { readonly [K in Kind]?: CountEvent } = {
  chat: countChatEvent,
  completions: (counter, data) => counter.addText(data, TEXT),
  responses: countResponsesEvent,
}

/** Counts what the events of one stream generate. */
export class GeneratedCounter extends TextCounter {
  private readonly countEvent: CountEvent

  private constructor(countEvent: CountEvent) {
    super()
    this.countEvent = countEvent
  }

  /** Returns undefined when such a stream is not billed by its text. */
  static of(kind: Kind | undefined): GeneratedCounter | undefined {
    const countEvent = kind && COUNTERS[kind]
    return countEvent && new GeneratedCounter(countEvent)
  }

  addEvent(data: Buffer): void {
    this.countEvent(this, data)
  }
}

const DELTA = memberName("delta")
const CONTENT = [memberName("content")]
const REASONING = [memberName("reasoning_content"), memberName("reasoning")]
const REFUSAL = [memberName("refusal")]
const TEXT = [memberName("text")]
const NAME = memberName("name")
const ARGUMENTS = memberName("arguments")

/** Perplexity repeats the whole text so far in a `message` before the `delta`, so only what follows is counted. */
function countChatEvent(counter: TextCounter, data: Buffer): void {
  const delta = data.indexOf(DELTA)
  if (delta < 0) return
  const length = counter.addText(data, CONTENT, delta)
  if (length > 0 && length < SHORT_PIECE_BYTES) return
  if (length === 0 && hasList(data, CONTENT[0]!, delta)) counter.addAllText(data, TEXT[0]!, delta)
  counter.addText(data, REASONING, delta)
  counter.addToolNames(data, NAME, delta)
  counter.addArguments(data, ARGUMENTS, delta)
  counter.addText(data, REFUSAL, delta)
}

/** Mistral sends the content as a list of parts while its models reason. */
function hasList(data: Buffer, name: Buffer, from: number): boolean {
  const at = data.indexOf(name, from)
  return at >= 0 && data[skipSpace(data, at + name.length + 1)] === OPEN_BRACKET
}

const DELTAS = [DELTA]
const ITEM_ADDED = Buffer.from('"response.output_item.added"')
const CALL_TYPE = Buffer.from('_call"')

/** Every new piece is the `delta` of its event. A tool call begins with an item that names the tool. */
function countResponsesEvent(counter: TextCounter, data: Buffer): void {
  if (counter.addText(data, DELTAS) > 0) return
  if (data.includes(ITEM_ADDED) && data.includes(CALL_TYPE)) counter.addToolNames(data, NAME)
}
