import type { Notification } from "../../core/notification.ts"
import type { Message } from "../_message.ts"

interface Context {
  readonly dashboardUrl: string | undefined
}

/** Puts a notification into words. */
export function toMessage(notification: Notification, { dashboardUrl }: Context): Message {
  const { kind, severity, subject, at, facts } = notification
  return {
    kind,
    severity,
    title: `${kind.replaceAll("_", " ")}: ${subject}`,
    summary: Object.entries(facts)
      .map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`)
      .join("\n"),
    fields: [],
    tables: [],
    link: dashboardUrl === undefined ? undefined : { label: "Open the dashboard", url: dashboardUrl },
    footer: at,
  }
}

/** Returns the message that shows that a channel works. */
export function toTestMessage(
  { channel, at }: { readonly channel: string; readonly at: string },
  { dashboardUrl }: Context,
): Message {
  return {
    kind: "test",
    severity: "info",
    title: `The channel "${channel}" works`,
    summary: "This is a test of a notification channel.",
    fields: [],
    tables: [],
    link: dashboardUrl === undefined ? undefined : { label: "Open the dashboard", url: dashboardUrl },
    footer: at,
  }
}
