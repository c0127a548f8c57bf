import {
  contentStart,
  findMembers,
  type Member,
  type MemberNames,
  type Members,
  nameOfMember,
  readMember,
  skipSpace,
} from "../kit/json/members.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"
import { countOf, type JsonObject, objectOf, textOf } from "./_values.ts"

const QUOTE = 34
const BACKSLASH = 92
const COLON = 58
const COMMA = 44
const OPEN_OBJECT = 123
const TYPE = '"type"'
const USUAL_START = Buffer.from('{"type":"')
/** `type` stands behind at most this many other members, such as `event_id`; otherwise the whole message is searched. */
const MAX_MEMBERS_BEFORE = 3
const MAX_TYPE_BYTES = 100

/**
 * Returns the `type` of a provider's message. It reads only the bytes up to the member, because most messages are small
 * pieces of text or sound of which nothing else is needed. undefined: the message is no JSON object, or has no type.
 */
export function typeOf(message: Buffer): string | undefined {
  return usualType(message) ?? searchType(message)
}

/** Returns the type where it is the first member, written without spaces, which is the usual case. */
function usualType(message: Buffer): string | undefined {
  for (let at = 0; at < USUAL_START.length; at++) if (message[at] !== USUAL_START[at]) return undefined
  const stop = Math.min(message.length, USUAL_START.length + MAX_TYPE_BYTES + 1)
  for (let at = USUAL_START.length; at < stop; at++) {
    const byte = message[at]
    if (byte === QUOTE) return message.toString("latin1", USUAL_START.length, at)
    if (byte === BACKSLASH) return undefined
  }
  return undefined
}

function searchType(message: Buffer): string | undefined {
  let at = contentStart(message)
  if (message[at] !== OPEN_OBJECT) return undefined
  at = skipSpace(message, at + 1)
  for (let members = 0; members <= MAX_MEMBERS_BEFORE && message[at] === QUOTE; members++) {
    const keyEnd = stringEnd(message, at)
    const isType = keyEnd - at === TYPE.length && message.toString("latin1", at, keyEnd) === TYPE
    at = skipSpace(message, keyEnd < 0 ? message.length : keyEnd)
    if (message[at] !== COLON) break
    at = skipSpace(message, at + 1)
    const end = message[at] === QUOTE ? stringEnd(message, at) : -1
    if (end < 0) break
    if (isType) return end - at > MAX_TYPE_BYTES ? undefined : message.toString("latin1", at + 1, end - 1)
    at = skipSpace(message, end)
    if (message[at] !== COMMA) break
    at = skipSpace(message, at + 1)
  }
  return textOf(readMember(message, "type"))
}

/** Returns a member of a message that is an object, found without parsing the rest; undefined: there is none. */
export function innerMembers(
  message: Buffer,
  name: string,
  names: MemberNames,
): { readonly bytes: Buffer; readonly members: Members } | undefined {
  const member = findMembers(message, nameOfMember(name))?.found[name]
  if (member === undefined) return undefined
  const bytes = message.subarray(member.start, member.end)
  const members = findMembers(bytes, names)
  return members && { bytes, members }
}

/** The tokens of a conversation so far, by modality, which the next request to it has as its input. */
export interface ContextTokens {
  readonly text: number
  readonly audio: number
  readonly image: number
}

export const NO_CONTEXT: ContextTokens = { text: 0, audio: 0, image: 0 }

/**
 * The member that the gateway adds to the request of a turn: the tokens of the conversation that the request continues
 * and does not repeat. It is needed only if the turn ends without its usage.
 */
const CONTEXT = "conversation_tokens"

/** Returns the member of a turn's request that states the conversation, with the comma before it; "": nothing is known. */
export function contextMember({ text, audio, image }: ContextTokens): string {
  if (text + audio + image === 0) return ""
  return `,"${CONTEXT}":${JSON.stringify({ text, audio: Math.ceil(audio), image })}`
}

/** Returns the tokens of the conversation that a turn's request continues. */
export function readContext(body: Buffer): ContextTokens {
  const stated = objectOf(readMember(body, CONTEXT))
  return stated === undefined ? NO_CONTEXT : toContext(stated)
}

function toContext(stated: JsonObject): ContextTokens {
  return {
    text: countOf(stated["text"]) ?? 0,
    audio: countOf(stated["audio"]) ?? 0,
    image: countOf(stated["image"]) ?? 0,
  }
}

/** Returns the text of an object's members without one of them, and without the braces. */
export function membersWithout(message: Buffer, { open, close }: Members, member: Member): string {
  const before = message.toString("utf8", open, member.keyStart).trimEnd()
  const after = message.toString("utf8", member.end, close).trimStart()
  if (after !== "") return before + after.slice(1)
  return before.endsWith(",") ? before.slice(0, -1) : before
}
