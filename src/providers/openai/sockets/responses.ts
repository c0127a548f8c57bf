import { findMembers, MemberNames, memberValue, nameOfMember, readMember } from "../../../kit/json/members.ts"
import { contextMember, innerMembers, membersWithout, NO_CONTEXT, typeOf } from "../../_socket-message.ts"
import type { SocketReader, TurnBegin, TurnMessage } from "../../_sockets.ts"
import { countOf, objectOf, textOf } from "../../_values.ts"
import { readFailure, readSocketError, type SocketErrorEvent } from "./errors.ts"

/** A response that the client asked for, or that the provider began by itself. */
interface Turn {
  readonly name: string
  readonly model: string | undefined
  /** The response that it continues. */
  readonly previous: string | undefined
}

/** The responses of one `stream_id`, which the provider makes one after the other. */
interface Lane {
  readonly waiting: Turn[]
  running: Turn | undefined
}

/** A finished response, which later ones may continue. */
interface Finished {
  readonly model: string | undefined
  readonly tokens: number
}

/** The most finished responses that a session remembers. Clients usually continue the last one. */
const MAX_FINISHED = 16

const CLIENT_NAMES = new MemberNames(["type", "stream_id", "model", "previous_response_id", "response"])
const RESPONSE_NAMES = new MemberNames(["id", "previous_response_id", "model", "usage"])
/** The events that end a response, and those that begin it and contain no output. */
const ENDINGS = new Set(["response.completed", "response.failed", "response.incomplete", "response.cancelled"])
const OPENINGS = new Set(["response.created", "response.queued", "response.in_progress"])

/**
 * Reads a session of the Responses API: a `response.create` has the members of a `POST /v1/responses`, and the answer is
 * the events of its stream, one per message. Responses with the same `stream_id` follow each other, those of several run
 * side by side (the shapes of `openai` 7.59). After a `response.steer`, the provider begins a response by itself.
 */
export class ResponsesReader implements SocketReader {
  private readonly lanes = new Map<string, Lane>()
  private readonly finished = new Map<string, Finished>()
  /** The responses to which the client has added input while they ran. */
  private readonly steered = new Set<string>()
  private hasStreamIds = false
  private turns = 0

  onClient(message: Buffer): TurnBegin | undefined {
    const members = findMembers(message, CLIENT_NAMES)
    if (!members || members.close < 0) return undefined
    const { found } = members
    if (memberValue(message, found["type"]) !== "response.create") return undefined
    const stream = textOf(memberValue(message, found["stream_id"]))
    this.hasStreamIds ||= stream !== undefined
    const previous = textOf(memberValue(message, found["previous_response_id"]))
    const turn = this.createTurn(textOf(memberValue(message, found["model"])), previous)
    this.laneOf(stream).waiting.push(turn)
    const own = membersWithout(message, members, found["type"]!)
    return { turn: turn.name, body: Buffer.from(`{${own}${this.contextOf(previous)}}`) }
  }

  onProvider(message: Buffer): TurnMessage | undefined {
    const type = typeOf(message)
    if (type === undefined) return undefined
    if (type === "error") return this.onError(message)
    if (type.startsWith("response.steer.")) return this.onSteer(type, message)
    if (!type.startsWith("response.") || type.startsWith("response.inject.")) return undefined
    const stream = this.streamOf(message)
    const lane = this.laneOf(stream)
    const begins = this.begin(lane, type, message)
    const turn = lane.running
    if (turn === undefined) {
      this.forget(stream, lane)
      return undefined
    }
    const isOutput = !OPENINGS.has(type)
    const isEnd = ENDINGS.has(type)
    // Nearly all messages are pieces of output.
    if (!isEnd) return begins ? { turn: turn.name, begins, isOutput } : { turn: turn.name, isOutput }
    this.finish(turn, message)
    lane.running = undefined
    this.forget(stream, lane)
    const error = type === "response.failed" ? readFailure(message) : undefined
    const ends = { statusCode: 200, ...(error !== undefined && { error }) }
    return { turn: turn.name, ...(begins && { begins }), isOutput, ends }
  }

  onRejected(name: string): void {
    for (const [stream, lane] of this.lanes) {
      const at = lane.waiting.findIndex((turn) => turn.name === name)
      if (at >= 0) lane.waiting.splice(at, 1)
      this.forget(stream, lane)
    }
  }

  /** Lets the next response of a lane run. Returns how it began if the client did not ask for it. */
  private begin(lane: Lane, type: string, message: Buffer): TurnBegin | undefined {
    const isCreated = type === "response.created"
    if (lane.running !== undefined && !isCreated) return undefined
    const response = isCreated || ENDINGS.has(type) ? readResponse(message) : undefined
    const next = lane.waiting[0]
    if (next !== undefined && !this.isSuccessor(response?.previous, next)) {
      lane.waiting.shift()
      lane.running = next
      return undefined
    }
    if (response === undefined) return undefined
    const { previous } = response
    this.steered.delete(previous ?? "")
    const model = this.finished.get(previous ?? "")?.model ?? response.model
    const turn = this.createTurn(model, previous)
    lane.running = turn
    const own = JSON.stringify({ model, previous_response_id: previous }).slice(1, -1)
    return { turn: turn.name, body: Buffer.from(`{${own}${this.contextOf(previous)}}`) }
  }

  /** Returns true for a response by which the provider itself continues a steered one, before the client's next. */
  private isSuccessor(previous: string | undefined, next: Turn): boolean {
    return previous !== undefined && this.steered.delete(previous) && next.previous !== previous
  }

  private onSteer(type: string, message: Buffer): undefined {
    if (type !== "response.steer.accepted" || this.steered.size >= MAX_FINISHED) return undefined
    const steer = innerMembers(message, "steer", nameOfMember("previous_response_id"))
    const id = steer && textOf(memberValue(steer.bytes, steer.members.found["previous_response_id"]))
    if (id !== undefined) this.steered.add(id)
    return undefined
  }

  /**
   * An error ends the response that runs, or else rejects the one that waits. An invalid request is never the one that
   * runs, because the provider has accepted that one.
   */
  private onError(message: Buffer): TurnMessage | undefined {
    const error = readSocketError(message)
    const stream = this.streamOf(message)
    const lane = this.lanes.get(stream ?? "")
    if (lane === undefined) return undefined
    const turn = takeFailed(lane, error)
    this.forget(stream, lane)
    if (turn === undefined) return undefined
    const { statusCode, message: text } = error
    return { turn: turn.name, isOutput: false, ends: { statusCode, ...(text !== undefined && { error: text }) } }
  }

  private createTurn(model: string | undefined, previous: string | undefined): Turn {
    return { name: String(++this.turns), model, previous }
  }

  private finish(turn: Turn, message: Buffer): void {
    const response = readResponse(message)
    if (response?.id === undefined) return
    this.finished.delete(response.id)
    this.finished.set(response.id, { model: turn.model ?? response.model, tokens: response.tokens })
    for (const oldest of this.finished.keys()) {
      if (this.finished.size <= MAX_FINISHED) break
      this.finished.delete(oldest)
      this.steered.delete(oldest)
    }
  }

  private contextOf(previous: string | undefined): string {
    const text = this.finished.get(previous ?? "")?.tokens ?? 0
    return contextMember({ ...NO_CONTEXT, text })
  }

  private streamOf(message: Buffer): string | undefined {
    if (!this.hasStreamIds) return undefined
    return textOf(readMember(message, "stream_id"))
  }

  private laneOf(stream = ""): Lane {
    const known = this.lanes.get(stream)
    if (known !== undefined) return known
    const lane: Lane = { waiting: [], running: undefined }
    this.lanes.set(stream, lane)
    return lane
  }

  private forget(stream: string | undefined, { waiting, running }: Lane): void {
    if (waiting.length === 0 && running === undefined) this.lanes.delete(stream ?? "")
  }
}

/** Takes the response that failed out of its lane; undefined: the error is about none of them. */
function takeFailed(lane: Lane, { isOfStream, isInvalidRequest }: SocketErrorEvent): Turn | undefined {
  const { running } = lane
  if (running === undefined || (!isOfStream && lane.waiting.length > 0)) return lane.waiting.shift()
  if (isInvalidRequest && !isOfStream) return undefined
  lane.running = undefined
  return running
}

/** Returns what an event says about its response, without parsing all of it. */
function readResponse(message: Buffer) {
  const response = innerMembers(message, "response", RESPONSE_NAMES)
  if (response === undefined) return undefined
  const { bytes, members } = response
  const value = (name: string) => memberValue(bytes, members.found[name])
  return {
    id: textOf(value("id")),
    previous: textOf(value("previous_response_id")),
    model: textOf(value("model")),
    tokens: countOf(objectOf(value("usage"))?.["total_tokens"]) ?? 0,
  }
}
