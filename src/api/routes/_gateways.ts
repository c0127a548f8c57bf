import { z } from "zod"

const gateway = z.object({ name: z.string(), last_seen_at: z.string() })
/** Which gateways have heard of a key that they may no longer use. */
export const gateways = z.object({
  acknowledged: z.array(gateway).readonly().describe("the gateways that no longer use the key"),
  silent: z
    .array(gateway.extend({ accepts_until: z.string().nullable() }))
    .readonly()
    .describe("the gateways that did not answer, and may use the key while they cannot reach the database"),
})
