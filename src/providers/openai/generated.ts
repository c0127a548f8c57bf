import { skipSpace } from "../../kit/json/members.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import type { RepeatedEvent } from "../../kit/repeated-events.ts"
import { ENCRYPTED, SHORT_PIECE_BYTES, TextCounter } from "../_text-counter.ts"
import { type JsonObject, listOf, objectOf, textOf } from "../_values.ts"
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
  /** The API is chat, whose answers give no sign of hidden reasoning. */
  readonly isChat: boolean
  private readonly countEvent: CountEvent

  private constructor(kind: Kind, countEvent: CountEvent) {
    super()
    this.isChat = kind === "chat"
    this.countEvent = countEvent
  }

  /** Returns undefined when such a stream is not billed by its text. */
  static of(kind: Kind | undefined): GeneratedCounter | undefined {
    const countEvent = kind && COUNTERS[kind]
    return countEvent && new GeneratedCounter(kind, countEvent)
  }

  addEvent(data: Buffer): void {
    this.onlyTextAt = -1
    this.countEvent(this, data)
  }

  override addRepeated(event: RepeatedEvent): boolean {
    return super.addRepeated(event, this.isChat ? SHORT_PIECE_BYTES - 1 : undefined)
  }
}

const DELTA = new QuotedName("delta")
const CONTENT = [new QuotedName("content")]
const REASONING = [new QuotedName("reasoning_content"), new QuotedName("reasoning")]
const REFUSAL = [new QuotedName("refusal")]
const TEXT = [new QuotedName("text")]
const NAME = new QuotedName("name")
const ARGUMENTS = new QuotedName("arguments")

/** Perplexity repeats the whole text so far in a `message` before the `delta`, so only what follows is counted. */
function countChatEvent(counter: TextCounter, data: Buffer): void {
  const delta = DELTA.indexOf(data)
  if (delta < 0) return
  const length = counter.addText(data, CONTENT, delta)
  if (length > 0 && length < SHORT_PIECE_BYTES) {
    counter.markOnlyText()
    return
  }
  if (length === 0 && hasList(data, CONTENT[0]!, delta)) counter.addAllText(data, TEXT[0]!, delta)
  counter.addText(data, REASONING, delta)
  counter.addToolNames(data, NAME, delta)
  counter.addArguments(data, ARGUMENTS, delta)
  counter.addText(data, REFUSAL, delta)
}

/** Mistral sends the content as a list of parts while its models reason. */
function hasList(data: Buffer, name: QuotedName, from: number): boolean {
  const at = name.indexOf(data, from)
  return at >= 0 && data[skipSpace(data, at + name.length + 1)] === OPEN_BRACKET
}

const DELTAS = [DELTA]
const ITEM_ADDED = new QuotedName("response.output_item.added")
const ITEM_DONE = new QuotedName("response.output_item.done")
const REASONING_TYPE = new QuotedName("reasoning")
const ENCRYPTED_CONTENT = new QuotedName("encrypted_content")
const CALL_TYPE = Buffer.from('_call"')

/** Every new piece is the `delta` of its event. A tool call begins with an item that names the tool. */
function countResponsesEvent(counter: TextCounter, data: Buffer): void {
  if (counter.addText(data, DELTAS) > 0) counter.markOnlyText()
  else if (ITEM_ADDED.isIn(data)) {
    if (data.includes(CALL_TYPE)) counter.addToolNames(data, NAME)
    else if (REASONING_TYPE.isIn(data)) counter.hasHiddenReasoning = true
  } else if (ITEM_DONE.isIn(data)) counter.addEncrypted(data, ENCRYPTED_CONTENT, ENCRYPTED.openai)
}

/** Counts what a whole answer contains that reports no usage. Returns undefined if it is not billed by its text. */
export function countAnswer(kind: Kind | undefined, answer: JsonObject): GeneratedCounter | undefined {
  const counter = GeneratedCounter.of(kind)
  for (const element of listOf(answer["choices"])) {
    const choice = objectOf(element)
    counter?.addParsedText(choice?.["text"])
    addMessage(counter, objectOf(choice?.["message"]))
  }
  for (const item of listOf(answer["output"])) addItem(counter, objectOf(item))
  return counter
}

function addMessage(counter: TextCounter | undefined, message: JsonObject | undefined): void {
  if (!counter || !message) return
  addContent(counter, message["content"])
  for (const name of ["reasoning_content", "reasoning", "refusal"]) counter.addParsedText(message[name])
  for (const element of listOf(message["tool_calls"])) {
    const call = objectOf(objectOf(element)?.["function"])
    if (call) counter.addParsedCall(textOf(call["name"]) ?? "", call["arguments"])
  }
}

/** Adds an item of a Responses answer: a message, a call, or reasoning with its summary. */
function addItem(counter: TextCounter | undefined, item: JsonObject | undefined): void {
  if (!counter || !item) return
  addContent(counter, item["content"])
  addContent(counter, item["summary"])
  const call = item["arguments"] ?? item["input"]
  if (call !== undefined) counter.addParsedCall(textOf(item["name"]) ?? "", call)
  if (item["type"] !== "reasoning") return
  counter.hasHiddenReasoning = true
  const encrypted = item["encrypted_content"]
  if (typeof encrypted === "string") counter.addEncryptedLength(encrypted.length, ENCRYPTED.openai)
}

function addContent(counter: TextCounter, content: unknown): void {
  counter.addParsedText(content)
  for (const part of listOf(content)) {
    counter.addParsedText(objectOf(part)?.["text"])
    counter.addParsedText(objectOf(part)?.["refusal"])
  }
}
