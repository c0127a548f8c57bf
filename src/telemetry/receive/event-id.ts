import { createHash } from "node:crypto"
import type { AgentUsage } from "./agent-usage.ts"

/**
 * Returns the id of a report's row. The same report always gets the same id, so that an exporter that repeats a batch, or
 * sends it to two gateways, adds no second row. Like the ids of other rows it begins with a time, that of the event: it is
 * a UUID of version 8 (RFC 9562) with 48 bits of time and a digest of what the report says.
 */
export function toEventId({ client, session, endedAt, requestId, model, tokens, evidence }: AgentUsage): string {
  const agent = client.split("/")[0]
  const facts = [agent, session, endedAt, requestId, model, Object.values(tokens), evidence["event.sequence"]]
  const digest = createHash("sha256").update(JSON.stringify(facts)).digest("hex")
  const time = endedAt.toString(16).padStart(12, "0").slice(-12)
  const variant = "89ab"[Number.parseInt(digest[3]!, 16) & 3]
  return `${time.slice(0, 8)}-${time.slice(8)}-8${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`
}
