import type { NotificationStats } from "../notifications/parts.ts"
import { gauge, type Metric } from "../prometheus.ts"

/** The names of channels are chosen by the operator: nothing that a client sends becomes a label. */
export function toNotificationMetrics(stats: NotificationStats | undefined): Metric[] {
  if (stats === undefined) return []
  const { channels, waiting } = stats
  return [
    {
      name: "majordomo_notifications_sent_total",
      type: "counter",
      help: "Notifications that this gateway has sent, by channel.",
      samples: channels.map(({ channel, sent }) => ({ labels: { channel }, value: sent })),
    },
    {
      name: "majordomo_notifications_failed_total",
      type: "counter",
      help: "Notifications that this gateway has given up, by channel.",
      samples: channels.map(({ channel, failed }) => ({ labels: { channel }, value: failed })),
    },
    {
      ...gauge("majordomo_notifications_waiting", "Notifications of all gateways that wait to be sent.", waiting),
      together: "max",
    },
  ]
}
