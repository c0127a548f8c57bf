import { findMembers, type Member, MemberNames, memberValue } from "../../../kit/json/members.ts"
import { contextMember } from "../../_socket-message.ts"
import type { SocketReader, TurnBegin, TurnMessage } from "../../_sockets.ts"
import { textOf } from "../../_values.ts"
import { modelIn } from "../routes.ts"
import { LiveContext } from "./context.ts"

/** A client of Google's may write names in either way. */
export const CLIENT_NAMES = new MemberNames([
  "setup",
  "clientContent",
  "client_content",
  "realtimeInput",
  "realtime_input",
  "toolResponse",
  "tool_response",
])
const SETUP_NAMES = new MemberNames(["model", "generationConfig", "generation_config"])
const END_NAMES = new MemberNames(["turnComplete", "turn_complete"])
const SERVER_NAMES = new MemberNames(["serverContent", "toolCall", "usageMetadata"])
const CONTENT_NAMES = new MemberNames([
  "modelTurn",
  "outputTranscription",
  "groundingMetadata",
  "interrupted",
  "generationComplete",
  "turnComplete",
])
/** The content that the model generates. Transcriptions of what the user says are none. */
const GENERATED = ["modelTurn", "outputTranscription", "groundingMetadata"]

interface Turn {
  readonly name: string
  /** Its counts have come. */
  hasUsage: boolean
  /** The provider said that it is complete, and its counts may still come. */
  isComplete: boolean
}

/**
 * Reads a session of Gemini's Live API, whose messages are JSON in text or binary frames (the shapes of `@google/genai`
 * 3.3). A turn begins when the client completes its content, or by itself when the model answers what it hears, and ends
 * with `turnComplete`. Calls of the client's functions are a part of the turn.
 *
 * `usageMetadata` is per turn, with the whole conversation as its prompt, and not a sum over the session: measured on
 * three turns of two models in pydantic/pydantic-ai#7269 (2026-08-07). It can stand beside any content, or in a message
 * after the one that completes the turn (strands-agents/harness-sdk#3725).
 */
export class LiveReader implements SocketReader {
  private model: string | undefined
  /** The model of the first setup. Whether the provider takes a second one is not known. */
  private firstModel: string | undefined
  private limits = ""
  private readonly waiting: Turn[] = []
  private running: Turn | undefined
  private readonly context = new LiveContext()
  private turns = 0

  onClient(message: Buffer): TurnBegin | undefined {
    const members = findMembers(message, CLIENT_NAMES)
    if (!members || members.close < 0) return undefined
    const { found } = members
    if (found["setup"]) this.onSetup(message, found["setup"])
    const spoken = found["realtimeInput"] ?? found["realtime_input"]
    if (spoken) this.context.addRealtime(message.subarray(spoken.start, spoken.end))
    const answers = found["toolResponse"] ?? found["tool_response"]
    const content = found["clientContent"] ?? found["client_content"]
    for (const added of [answers, content]) if (added) this.context.addText(message.subarray(added.start, added.end))
    const asks = content !== undefined && isTurnComplete(message, content)
    // The answer to a call continues the turn of the call, if that turn is not over.
    return asks || (answers && this.isIdle) ? this.ask() : undefined
  }

  onProvider(message: Buffer): TurnMessage | undefined {
    const members = findMembers(message, SERVER_NAMES)
    if (!members) return undefined
    const { serverContent, toolCall, usageMetadata } = members.found
    const content = serverContent && readContent(message.subarray(serverContent.start, serverContent.end))
    const isGenerated = content?.isGenerated === true || toolCall !== undefined
    const earlier = isGenerated ? this.endComplete() : undefined
    const begins = isGenerated ? this.begin() : undefined
    const turn = this.running
    if (turn === undefined) return undefined
    if (usageMetadata) {
      turn.hasUsage = true
      this.context.setReported(memberValue(message, usageMetadata))
    }
    turn.isComplete ||= content?.isTurnComplete === true
    const isEnd = turn.isComplete && turn.hasUsage
    if (isEnd) this.running = undefined
    // A message about the session, such as `goAway`, is not a part of the turn that happens to run.
    if (!content && !toolCall && !usageMetadata) return undefined
    return {
      turn: turn.name,
      ...(begins && { begins }),
      ...(earlier && { endsEarlier: earlier }),
      isOutput: isGenerated,
      ...(isEnd && { ends: { statusCode: 200 } }),
    }
  }

  onRejected(name: string): void {
    const at = this.waiting.findIndex((turn) => turn.name === name)
    if (at >= 0) this.waiting.splice(at, 1)
    if (this.running?.name === name) this.running = undefined
  }

  private get isIdle(): boolean {
    return this.running === undefined || this.running.isComplete
  }

  /** The first message of a session names the model; with an ephemeral token, the token may do it. */
  private onSetup(message: Buffer, { start, end }: Member): void {
    const setup = message.subarray(start, end)
    const found = findMembers(setup, SETUP_NAMES)?.found
    const model = textOf(memberValue(setup, found?.["model"]))
    this.model = model === undefined ? undefined : (modelIn(`/${model}`) ?? model)
    this.firstModel ??= this.model
    const config = found?.["generationConfig"] ?? found?.["generation_config"]
    if (config && config.end - config.start <= MAX_CONFIG_BYTES) {
      this.limits = `,"generationConfig":${setup.toString("utf8", config.start, config.end)}`
    }
    this.context.addText(setup)
  }

  private ask(): TurnBegin {
    const turn = this.createTurn()
    this.waiting.push(turn)
    return this.toBegin(turn)
  }

  /** Lets the next turn run, unless one does. Returns how it began if the client did not ask for it. */
  private begin(): TurnBegin | undefined {
    if (this.running !== undefined) return undefined
    const asked = this.waiting.shift()
    this.running = asked ?? this.createTurn()
    return asked === undefined ? this.toBegin(this.running) : undefined
  }

  /** Ends a turn that is complete and whose counts have not come before the next one begins. */
  private endComplete(): TurnMessage["endsEarlier"] {
    const { running } = this
    if (running?.isComplete !== true) return undefined
    this.running = undefined
    return { turn: running.name, statusCode: 200 }
  }

  private createTurn(): Turn {
    return { name: String(++this.turns), hasUsage: false, isComplete: false }
  }

  private toBegin({ name }: Turn): TurnBegin {
    const toMember = (model: string | undefined) => JSON.stringify({ model }).slice(1, -1)
    // Two models make the request ambiguous, which the policy of a key does not allow.
    const first = this.firstModel === this.model ? "" : `${toMember(this.firstModel)},`
    const members = `${first}${toMember(this.model)}${this.limits}${contextMember(this.context.tokens)}`
    return { turn: name, body: Buffer.from(`{${members.replace(/^,/, "")}}`) }
  }
}

const MAX_CONFIG_BYTES = 4096

/** Without `turnComplete`, the model waits for more. */
function isTurnComplete(message: Buffer, { start, end }: Member): boolean {
  const content = message.subarray(start, end)
  const found = findMembers(content, END_NAMES)?.found
  return memberValue(content, found?.["turnComplete"] ?? found?.["turn_complete"]) === true
}

function readContent(content: Buffer) {
  const found = findMembers(content, CONTENT_NAMES)?.found ?? {}
  return {
    isGenerated: GENERATED.some((name) => found[name] !== undefined),
    isTurnComplete: memberValue(content, found["turnComplete"]) === true,
  }
}
