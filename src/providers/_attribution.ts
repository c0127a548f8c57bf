import { findMembers, type Member, MemberNames, type Members, memberValue } from "../kit/json/members.ts"
import { objectOf } from "./_values.ts"

/** Whose request it is and to which session it belongs, as its body says. */
export interface RequestAttribution {
  readonly user: string | undefined
  readonly session: string | undefined
}

/**
 * The members of a request body that say so. `metadata` is OpenAI's and Anthropic's, `labels` Vertex's, `requestMetadata`
 * that of Bedrock's Converse API, and `session_id` OpenRouter's.
 */
const OBJECTS = ["metadata", "labels", "requestMetadata"] as const
export const ATTRIBUTION_NAMES = [
  "safety_identifier",
  "user",
  "conversation",
  "session_id",
  "prompt_cache_key",
  ...OBJECTS,
] as const

const USERS = ["user_id", "user-id", "user", "userId"] as const
const SESSIONS = ["session_id", "session-id", "session", "sessionId"] as const
const INNER_NAMES = new MemberNames([...USERS, ...SESSIONS])

/** Reads the attribution from the members of a body that `findMembers` found; undefined: there is none. */
export function readAttribution(bytes: Buffer, found: Members["found"]): RequestAttribution | undefined {
  let user = readText(bytes, found["safety_identifier"]) ?? readText(bytes, found["user"])
  let session = readConversation(bytes, found["conversation"]) ?? readText(bytes, found["session_id"])
  for (const name of OBJECTS) {
    const inner = found[name] && readObject(bytes, found[name])
    user ??= inner?.user
    session ??= inner?.session
  }
  return toAttribution(user, session ?? readText(bytes, found["prompt_cache_key"]))
}

const objects = new Map<string, RequestAttribution>()
const MAX_OBJECTS = 1000
const MAX_OBJECT_BYTES = 1024

/** Reads an object such as Anthropic's `metadata`. It is cached by its text, because the requests of a session repeat it. */
function readObject(bytes: Buffer, { start, end }: Member): RequestAttribution {
  const text = end - start > MAX_OBJECT_BYTES ? undefined : bytes.toString("latin1", start, end)
  const known = text === undefined ? undefined : objects.get(text)
  if (known !== undefined) return known
  const object = bytes.subarray(start, end)
  const found = findMembers(object, INNER_NAMES)?.found ?? {}
  const user = firstText(object, found, USERS)
  const session = firstText(object, found, SESSIONS)
  const read = toAttribution(user, session) ?? { user, session }
  if (text === undefined) return read
  if (objects.size >= MAX_OBJECTS) objects.clear()
  objects.set(text, read)
  return read
}

/**
 * Returns the attribution for a user and a session; undefined: neither is known. The user's id that Claude Code sends
 * contains both: `user_<device>_account_<account>_session_<session>`, or the same as JSON since version 2.1.78.
 */
export function toAttribution(user: string | undefined, session: string | undefined): RequestAttribution | undefined {
  const composed = user === undefined ? undefined : splitUserId(user)
  if (composed !== undefined) return { user: composed.user, session: session ?? composed.session }
  return user === undefined && session === undefined ? undefined : { user, session }
}

const CLAUDE_USER_ID = /^user_([0-9a-f]+)_account_([^_]*)_session_(.+)$/

function splitUserId(id: string): RequestAttribution | undefined {
  if (id.startsWith("user_")) {
    const [, device, account, session] = CLAUDE_USER_ID.exec(id) ?? []
    return session === undefined ? undefined : { user: account || device, session }
  }
  if (!id.startsWith("{")) return undefined
  try {
    const parts = objectOf(JSON.parse(id))
    if (parts === undefined) return undefined
    const user = textOf(parts["account_uuid"]) ?? textOf(parts["device_id"]) ?? textOf(parts["user_id"])
    return { user, session: textOf(parts["session_id"]) }
  } catch {
    return undefined
  }
}

function firstText(bytes: Buffer, found: Members["found"], names: readonly string[]): string | undefined {
  for (const name of names) {
    const text = readText(bytes, found[name])
    if (text !== undefined) return text
  }
  return undefined
}

/** OpenAI's conversation is an id, or an object with it. */
function readConversation(bytes: Buffer, member: Member | undefined): string | undefined {
  if (member === undefined) return undefined
  return readText(bytes, member) ?? textOf(objectOf(memberValue(bytes, member))?.["id"])
}

/** What JSON writes in another way than the text itself, and what is not ASCII. */
const NOT_PLAIN = /[^ !#-[\]-~]/
const MAX_PLAIN_BYTES = 4096
/** The most that is read of a text. An outline of a large body keeps as much. */
const MAX_TEXT_BYTES = 8 * 1024
/** The longest character in JSON, `\u1234`, and the longest in UTF-8 are not longer. */
const MAX_CHARACTER_BYTES = 6
const QUOTE = 34

/** Returns the text of a member; undefined: it is empty, or no text. */
export function readText(bytes: Buffer, member: Member | undefined): string | undefined {
  if (member === undefined) return undefined
  const { start, end } = member
  // Most texts are plain, and reading them so takes a third of the time.
  if (bytes[start] !== QUOTE) return undefined
  const plain = end - start > MAX_PLAIN_BYTES ? undefined : bytes.toString("latin1", start + 1, end - 1)
  if (plain !== undefined && !NOT_PLAIN.test(plain)) return plain === "" ? undefined : plain
  if (end - start > MAX_TEXT_BYTES) return readBeginning(bytes, start)
  return textOf(memberValue(bytes, member, MAX_TEXT_BYTES))
}

/** Returns the beginning of a JSON text, which ends after a whole character; undefined: it is no valid text. */
function readBeginning(bytes: Buffer, start: number): string | undefined {
  for (let end = start + MAX_TEXT_BYTES; end > start + MAX_TEXT_BYTES - MAX_CHARACTER_BYTES; end--) {
    // The next byte continues a character.
    if ((bytes[end]! & 0xc0) === 0x80) continue
    try {
      return textOf(JSON.parse(`${bytes.toString("utf8", start, end)}"`))
    } catch {
      // The text ends within an escaped character.
    }
  }
  return undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}
