import { findMembers, MemberNames, memberValue, nameOfMember, readMember } from "../../../kit/json/members.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import { contextMember, innerMembers, NO_CONTEXT, typeOf } from "../../_socket-message.ts"
import type { SocketReader, TurnBegin, TurnMessage } from "../../_sockets.ts"
import { objectOf, textOf } from "../../_values.ts"
import { findRealtimeModel } from "./asked-model.ts"
import { Conversation, readSession, SESSION_NAMES, type SessionFacts } from "./conversation.ts"
import { readFailedResponse, readSocketError } from "./errors.ts"
import { Transcriptions } from "./transcriptions.ts"

/** A response that the client asked for and that has not begun. */
interface Waiting {
  readonly name: string
  /** The id of the client's event, which an error about it names. */
  readonly event: string | undefined
}

const CLIENT_NAMES = new MemberNames(["type", "event_id", "response", "audio", "item"])
const SESSION_MEMBERS = new MemberNames(SESSION_NAMES)
const RESPONSE_NAMES = new MemberNames(["id", "conversation_id", "usage"])
const NO_FACTS: SessionFacts = {
  model: undefined,
  transcriptionModel: undefined,
  inputFormat: undefined,
  outputFormat: undefined,
}

/**
 * Reads a session of the Realtime API, of today and of the beta (the shapes of `openai` 7.59). A response begins by the
 * client's `response.create`, or by itself when the provider hears that the user has stopped speaking, and ends with
 * `response.done`. Several can run at once. What transcribes the user's words is a turn of its own, because another model
 * does it and is billed by its own rates.
 */
export class RealtimeReader implements SocketReader {
  private readonly asked: string | undefined
  private facts = NO_FACTS
  /** The model that the provider states after it stated another one; undefined: it has not changed. */
  private changed: string | undefined
  private readonly waiting: Waiting[] = []
  /** The running responses by their ids. */
  private readonly running = new Map<string, string>()
  private readonly conversation = new Conversation()
  private readonly transcriptions: Transcriptions
  private turns = 0

  constructor(handshake: ProviderRequest) {
    this.asked = findRealtimeModel(handshake)
    const createName = () => this.createName()
    this.transcriptions = new Transcriptions(this.conversation, createName, () => this.facts.transcriptionModel)
  }

  onClient(message: Buffer): TurnBegin | undefined {
    const members = findMembers(message, CLIENT_NAMES)
    if (!members || members.close < 0) return undefined
    const { found } = members
    const type = textOf(memberValue(message, found["type"]))
    if (type === undefined) return undefined
    if (type !== "response.create") {
      this.conversation.addFromClient(type, message, found)
      return undefined
    }
    const turn = this.createName()
    this.waiting.push({ name: turn, event: textOf(memberValue(message, found["event_id"])) })
    const { response } = found
    return { turn, body: this.toBody(response && message.subarray(response.start, response.end)) }
  }

  onProvider(message: Buffer): TurnMessage | undefined {
    const type = typeOf(message)
    if (type === undefined) return undefined
    if (type.startsWith("response.")) return this.onResponse(type, message)
    if (type.startsWith("conversation.item.input_audio_transcription.")) return this.transcriptions.read(type, message)
    if (type === "error") return this.onError(message)
    if (type.startsWith("input_audio_buffer.")) this.conversation.addFromProvider(type, parse(message))
    else if (SESSIONS.has(type)) this.onSession(message)
    return undefined
  }

  onRejected(name: string): void {
    const at = this.waiting.findIndex((turn) => turn.name === name)
    if (at >= 0) this.waiting.splice(at, 1)
    for (const [id, turn] of this.running) if (turn === name) this.running.delete(id)
    this.transcriptions.forget(name)
  }

  private onResponse(type: string, message: Buffer): TurnMessage | undefined {
    if (type === "response.created") return this.onCreated(message)
    if (type === "response.done") return this.onDone(message)
    const turn = this.findRunning(message)
    return turn === undefined ? undefined : { turn, isOutput: true }
  }

  private onCreated(message: Buffer): TurnMessage | undefined {
    const { id } = readResponse(message)
    if (id === undefined) return undefined
    const asked = this.waiting.shift()
    const turn = asked?.name ?? this.createName()
    this.running.set(id, turn)
    return { turn, isOutput: false, ...(asked === undefined && { begins: { turn, body: this.toBody(undefined) } }) }
  }

  private onDone(message: Buffer): TurnMessage | undefined {
    const { id, isOfConversation, usage } = readResponse(message)
    if (id === undefined) return undefined
    const known = this.running.get(id) ?? this.waiting.shift()?.name
    const turn = known ?? this.createName()
    this.running.delete(id)
    if (usage !== undefined && isOfConversation) this.conversation.setReported(usage)
    const failed = readFailedResponse(message)
    const ends = failed === undefined ? { statusCode: 200 } : toEnd(failed)
    const begins = known === undefined ? { turn, body: this.toBody(undefined) } : undefined
    return { turn, isOutput: true, ...(begins && { begins }), ends }
  }

  /** Returns the turn of an event inside of a response. Its id is only needed while several run. */
  private findRunning(message: Buffer): string | undefined {
    if (this.running.size <= 1) for (const turn of this.running.values()) return turn
    const id = textOf(readMember(message, "response_id"))
    return id === undefined ? undefined : this.running.get(id)
  }

  /** An error rejects the response that waits if it names its event, or is about responses. Other errors end nothing. */
  private onError(message: Buffer): TurnMessage | undefined {
    const error = readSocketError(message)
    const isAboutOne = (turn: Waiting) =>
      error.event === undefined ? turn.event === undefined && error.isAboutResponse : turn.event === error.event
    const at = this.waiting.findIndex(isAboutOne)
    if (at < 0) return undefined
    const [rejected] = this.waiting.splice(at, 1)
    return { turn: rejected!.name, isOutput: false, ends: toEnd(error) }
  }

  private onSession(message: Buffer): void {
    const session = innerMembers(message, "session", SESSION_MEMBERS)
    if (session === undefined) return
    const facts = readSession(session.bytes, session.members.found)
    if (facts.model !== undefined && facts.model !== (this.facts.model ?? facts.model)) this.changed = facts.model
    this.facts = { ...facts, model: facts.model ?? this.facts.model }
    this.conversation.inputFormat = facts.inputFormat
    this.conversation.outputFormat = facts.outputFormat
  }

  /**
   * Returns the request of a response: the model, what the client asks for, and what the session knows.
   * @param response the members of the client's request; undefined: it states none
   */
  private toBody(response: Buffer | undefined): Buffer {
    const members = response && findMembers(response, nameOfMember("input"))
    const own = members && members.close > 0 ? response.toString("utf8", members.open, members.close).trim() : ""
    // A request with an input of its own does not continue the conversation.
    const context = members?.found["input"] === undefined ? this.conversation.tokens : NO_CONTEXT
    const session = { model: this.facts.model, output_audio_format: this.conversation.outputFormat }
    const model = JSON.stringify({ model: this.changed ?? this.asked ?? this.facts.model, session }).slice(1, -1)
    return Buffer.from(`{${own === "" ? "" : `${own},`}${model}${contextMember(context)}}`)
  }

  private createName(): string {
    return String(++this.turns)
  }
}

/** The beta has sessions that only transcribe, under a name of their own. */
const SESSIONS = new Set([
  "session.created",
  "session.updated",
  "transcription_session.created",
  "transcription_session.updated",
])

function toEnd({ statusCode, message }: { readonly statusCode: number; readonly message: string | undefined }) {
  return { statusCode, ...(message !== undefined && { error: message }) }
}

/** Returns what an event says about its response, without parsing all of it. */
function readResponse(message: Buffer) {
  const response = innerMembers(message, "response", RESPONSE_NAMES)
  const value = (name: string) => response && memberValue(response.bytes, response.members.found[name])
  return {
    id: textOf(value("id")),
    isOfConversation: value("conversation_id") !== null,
    usage: objectOf(value("usage")),
  }
}

/** The events about the input buffer have a few short members. */
function parse(message: Buffer) {
  return objectOf(memberValue(message, { keyStart: 0, start: 0, end: message.length })) ?? {}
}
