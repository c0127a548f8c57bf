import type { Notification } from "../../core/notification.ts"
import type { Message } from "../_message.ts"

/** The body that a webhook receives. Fields may be added; those that are there keep their meaning. */
interface WebhookBody {
  readonly version: 1
  readonly kind: Message["kind"]
  readonly severity: Message["severity"]
  readonly subject: string
  readonly window: string
  readonly at: string
  /** The same words as in the other channels. */
  readonly title: string
  readonly summary: string
  /** The page of the dashboard; null: its address is not known. */
  readonly url: string | null
  readonly facts: unknown
}

/** Returns the JSON of a webhook: the facts, and the same words as in the other channels. A test has no facts. */
export function toWebhookBody(notification: Notification | undefined, message: Message): WebhookBody {
  const { kind, severity, title, summary, link } = message
  return {
    version: 1,
    kind,
    severity,
    subject: notification?.subject ?? "",
    window: notification?.window ?? "",
    at: notification?.at ?? "",
    title,
    summary,
    url: link?.url ?? null,
    facts: notification?.facts ?? {},
  }
}
