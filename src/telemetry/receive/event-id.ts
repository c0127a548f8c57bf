import { createHash } from "node:crypto"
import { toUuidV8 } from "../../kit/uuid.ts"
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
  return toUuidV8(endedAt, digest)
}
