import { readMember } from "../../../kit/json/members.ts"
import { contextMember, NO_CONTEXT } from "../../_socket-message.ts"
import type { TurnBegin, TurnMessage } from "../../_sockets.ts"
import { textOf } from "../../_values.ts"
import { type Conversation, INPUT_TOKENS_PER_SECOND } from "./conversation.ts"
import { readSocketError } from "./errors.ts"

/**
 * The transcriptions of a Realtime session: one turn for each item of the conversation. Its first event begins it, and
 * `completed` or `failed` ends it.
 */
export class Transcriptions {
  private readonly running = new Map<string, string>()
  private readonly conversation: Conversation
  private readonly createName: () => string
  private readonly findModel: () => string | undefined

  constructor(conversation: Conversation, createName: () => string, findModel: () => string | undefined) {
    this.conversation = conversation
    this.createName = createName
    this.findModel = findModel
  }

  read(type: string, message: Buffer): TurnMessage {
    const item = textOf(readMember(message, "item_id")) ?? ""
    const known = this.running.get(item)
    const turn = known ?? this.createName()
    const begins = known === undefined ? this.begin(turn, item) : undefined
    const ends = endOf(type, message)
    if (ends !== undefined) this.running.delete(item)
    return { turn, isOutput: true, ...(begins && { begins }), ...(ends && { ends }) }
  }

  forget(name: string): void {
    for (const [item, turn] of this.running) if (turn === name) this.running.delete(item)
  }

  private begin(turn: string, item: string): TurnBegin {
    this.running.set(item, turn)
    const seconds = this.conversation.secondsOf(item)
    const model = JSON.stringify({ model: this.findModel(), seconds }).slice(1, -1)
    const audio = Math.ceil((seconds ?? 0) * INPUT_TOKENS_PER_SECOND)
    return { turn, body: Buffer.from(`{${model}${contextMember({ ...NO_CONTEXT, audio })}}`) }
  }
}

function endOf(type: string, message: Buffer): TurnMessage["ends"] {
  if (type.endsWith(".completed")) return { statusCode: 200 }
  if (!type.endsWith(".failed")) return undefined
  const { statusCode, message: text } = readSocketError(message)
  return { statusCode, ...(text !== undefined && { error: text }) }
}
