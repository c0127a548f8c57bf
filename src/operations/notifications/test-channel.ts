import { version } from "../../../package.json"
import { NotFoundError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { recordChange } from "../../database/access/audit.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import { DeliveryError, send } from "../../notifications/channels/index.ts"
import { toTestMessage } from "../../notifications/templates/index.ts"
import type { Context } from "../context.ts"
import { findDashboardUrl } from "./words.ts"

interface TestResult {
  readonly channel: string
  /** Whether the receiver accepted the message. */
  readonly accepted: boolean
  /** Why it did not, or which of its receivers rejected the message. */
  readonly error: string | null
}

/**
 * Sends a test message to a channel at once, without a second attempt, and stores in the audit log who did.
 *
 * @throws NotFoundError if there is no such channel
 */
export async function testChannel(
  context: Context<"settings" | "actor" | "now"> & {
    /** undefined: there is none yet, so that there is no audit log either. */
    readonly database?: Database | undefined
    readonly signal?: AbortSignal
  },
  { name }: { readonly name: string },
): Promise<TestResult> {
  const { database, settings, actor, now, signal } = context
  const { channels } = settings.notifications
  const channel = Object.hasOwn(channels, name) ? channels[name] : undefined
  if (channel === undefined) throw new NotFoundError(explainMissing(name, Object.keys(channels)))
  const at = new Date(now()).toISOString()
  const message = toTestMessage({ channel: name, at }, { dashboardUrl: findDashboardUrl(context) })
  const delivery = { id: uuidV7(now()), notification: undefined, message }
  const options = { proxies: settings.upstream.proxies, version, now, signal }
  const result = await send(channel, delivery, options).then(
    (note) => ({ accepted: true, error: note ?? null }),
    (error: unknown) => {
      if (error instanceof DeliveryError) return { accepted: false, error: error.message }
      throw error
    },
  )
  await database?.transaction((query) =>
    recordChange(query, actor, { action: "notifications.test", target: name, after: result }),
  )
  return { channel: name, ...result }
}

function explainMissing(name: string, names: readonly string[]): string {
  const known =
    names.length === 0 ? "set one in notifications.channels" : `notifications.channels has ${names.join(", ")}`
  return `there is no channel ${JSON.stringify(name)}: ${known}`
}
