import { memberValue, nameOfMember, readMember } from "../../../kit/json/members.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import { readFormFields } from "../../_multipart.ts"
import { innerMembers } from "../../_socket-message.ts"
import { bytesOf, textOf } from "../../_values.ts"

/** The instructions of a session stand in it. */
const MAX_SESSION_BYTES = 256 * 1024

/**
 * Returns the model that a request about a Realtime session asks for: a handshake and the start of a call name it in their
 * address (at Azure, the deployment), and the requests for a call or a secret in the session that they describe.
 */
export function findRealtimeModel({ query, headers, body }: ProviderRequest): string | undefined {
  const parameters = new URLSearchParams(query)
  const named = new Set([...parameters.getAll("model"), ...parameters.getAll("deployment")].filter(Boolean))
  if (named.size === 1) return [...named][0]
  // Which of them the provider takes is not known. A session says which model serves it.
  if (named.size > 1) return undefined
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (!/^multipart\/form-data/i.test(type)) {
    const session = innerMembers(bytes, "session", nameOfMember("model"))
    return session && textOf(memberValue(session.bytes, session.members.found["model"]))
  }
  const session = Buffer.from(readFormFields(type, bytes, ["session"], undefined, MAX_SESSION_BYTES)["session"] ?? "")
  return textOf(readMember(session, "model"))
}
