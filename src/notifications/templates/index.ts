import type { Notification, NotificationKind } from "../../core/notification.ts"
import { formatMoment, toName } from "../_format.ts"
import type { Message } from "../_message.ts"
import type { Template, TemplateContext } from "./_template.ts"
import { toAnomalyDraft } from "./anomaly.ts"
import { toDigestDraft } from "./digest.ts"
import { toLimitDraft } from "./limit.ts"
import { toNewKeyDraft } from "./new-key.ts"
import { toPriceChangedDraft, toUnpricedModelDraft } from "./prices.ts"
import { toReconciliationDraft } from "./reconciliation.ts"
import { toRowsDroppedDraft, toRowsWaitingDraft } from "./rows.ts"

const TEMPLATES: { readonly [K in NotificationKind]: Template<K> } = {
  limit: toLimitDraft,
  anomaly: toAnomalyDraft,
  unpriced_model: toUnpricedModelDraft,
  price_changed: toPriceChangedDraft,
  reconciliation: toReconciliationDraft,
  rows_waiting: toRowsWaitingDraft,
  rows_dropped: toRowsDroppedDraft,
  new_key: toNewKeyDraft,
  digest: toDigestDraft,
}

/** Puts a notification into words: first the fact with its amount, then what caused it, then what to do. */
export function toMessage<K extends NotificationKind>(
  notification: Notification<K>,
  context: TemplateContext,
): Message {
  const { kind, severity, at } = notification
  const template: Template<K> = TEMPLATES[kind]
  return { kind, severity, ...template(notification, context), footer: toFooter(at) }
}

interface TestInput {
  /** The name of the channel. */
  readonly channel: string
  /** The time, ISO 8601 in UTC. */
  readonly at: string
}

/** Returns the message that shows that a channel works. */
export function toTestMessage({ channel, at }: TestInput, { dashboardUrl }: TemplateContext): Message {
  return {
    kind: "test",
    severity: "info",
    title: `The channel "${toName(channel)}" works`,
    summary:
      "This is a test of a notification channel. You will see notifications here as the rules of the gateway (notifications.rules) say.",
    fields: [],
    tables: [],
    link: dashboardUrl === undefined ? undefined : { label: "Open the dashboard", url: dashboardUrl },
    footer: toFooter(at),
  }
}

function toFooter(at: string): string {
  return `Majordomo Gateway · ${formatMoment(at)}`
}
