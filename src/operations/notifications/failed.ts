import { listFailed } from "../../database/deliveries.ts"
import type { Context } from "../context.ts"

/** Returns a sentence for each channel to which notifications of the last 24 hours could not be sent. */
export async function describeFailedDeliveries({ database }: Context<"database">): Promise<readonly string[]> {
  return (await listFailed(database)).map(({ channel, count, error }) => {
    const were = count === 1 ? "1 notification was" : `${count} notifications were`
    return `${were} not delivered to ${channel} in the last 24 hours (${error}): see notify list, and notify test ${channel}`
  })
}
