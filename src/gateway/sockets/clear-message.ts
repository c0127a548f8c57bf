import { findMembers, type MemberNames } from "../../kit/json/members.ts"

/**
 * Returns true if every provider reads the same in a client's message as the gateway does: it is one whole JSON object in
 * UTF-8, and none of these members is in it twice. Otherwise it can ask for a response that the gateway does not see. JSON
 * has no NUL, but UTF-16 and UTF-32 have, which some parsers accept.
 */
export function isClear(message: Buffer, names: MemberNames): boolean {
  const members = findMembers(message, names)
  return members !== undefined && members.close >= 0 && members.ambiguous === undefined && !message.includes(0)
}
