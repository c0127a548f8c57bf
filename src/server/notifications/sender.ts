import { version } from "../../../package.json"
import type { Notification } from "../../core/notification.ts"
import type { AttemptResult, ClaimedDelivery } from "../../database/deliveries.ts"
import type { NewDelivery } from "../../database/notifications.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import { DeliveryError, send } from "../../notifications/channels/index.ts"
import { toWords } from "../../operations/notifications/words.ts"
import type { NotificationOptions, NotificationTiming } from "./parts.ts"

const MAX_DELAY_MS = 3_600_000
/** A message is not given up before so many attempts: its age is wrong after the clock has jumped. */
const MIN_ATTEMPTS = 5

interface SenderOptions extends Pick<NotificationOptions, "settings"> {
  readonly now: () => number
  readonly timing: NotificationTiming
  readonly signal: AbortSignal
}

/** Creates the part that puts notifications into words, and sends them to the channels of the settings. Nothing rejects. */
export function createSender({ settings, now, timing, signal }: SenderOptions) {
  const { channels } = settings.notifications
  const options = { proxies: settings.upstream.proxies, version, now, signal, timeoutMs: timing.attemptMs }

  async function post(notification: Notification, channel: string, id: string): Promise<string | undefined> {
    return send(channels[channel]!, { id, notification, message: toWords({ settings }, notification) }, options)
  }

  return {
    /** Sends a message that this gateway has claimed, and says whether it is sent again. */
    async attempt(claimed: ClaimedDelivery): Promise<AttemptResult> {
      const { id, channel, notification } = claimed
      try {
        return { state: "sent", note: await post(notification, channel, id) }
      } catch (error) {
        return toResult(error, claimed, timing)
      }
    },
    /** Sends a message that the database does not know yet. */
    async sendDirectly(notification: Notification, channel: string): Promise<NewDelivery> {
      try {
        await post(notification, channel, uuidV7(now()))
        return { channel, sentAt: new Date(now()) }
      } catch (error) {
        return { channel, error: toReason(error) }
      }
    },
  }
}

const toReason = (error: unknown) => (error instanceof DeliveryError ? error.message : "an internal error")

/** The delay doubles with each attempt, up to an hour, and differs by a fifth, so that receivers are not asked all at once. */
function toResult(error: unknown, { attempts, ageMs }: ClaimedDelivery, timing: NotificationTiming): AttemptResult {
  const reason = toReason(error)
  if (error instanceof DeliveryError && error.isPermanent) return { state: "failed", error: reason }
  const backoffMs = Math.min(MAX_DELAY_MS, timing.firstDelayMs * 2 ** (attempts - 1)) * (0.8 + 0.4 * Math.random())
  const askedMs = error instanceof DeliveryError ? (error.retryAfterMs ?? 0) : 0
  const afterMs = Math.max(backoffMs, askedMs)
  if (ageMs + afterMs <= timing.giveUpMs || attempts < MIN_ATTEMPTS) return { state: "waiting", error: reason, afterMs }
  const count = attempts === 1 ? "1 attempt" : `${attempts} attempts`
  return { state: "failed", error: `${reason}; given up after ${count}` }
}
