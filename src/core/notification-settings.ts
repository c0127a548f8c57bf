import type { NotificationKind, NotificationSeverity } from "./notification.ts"

/** Chat services that accept messages at a secret address. */
export const CHAT_TYPES = ["slack", "discord", "teams", "mattermost"] as const
type ChatType = (typeof CHAT_TYPES)[number]

/** Where notifications go. `url`, `secret` and `smtp` are secrets, which nothing may show. */
export type NotificationChannel = { readonly type: ChatType; readonly url: string } | WebhookChannel | EmailChannel

interface WebhookChannel {
  readonly type: "webhook"
  readonly url: string
  /** The key of the signature; undefined: messages are not signed. */
  readonly secret: string | undefined
}

export interface EmailChannel {
  readonly type: "email"
  readonly to: readonly string[]
  readonly from: string
  /** `smtp://` or `smtps://` with the host, and the user and the password if the server needs them. */
  readonly smtp: string
}

/** The channels by their names. */
export type NotificationChannels = Readonly<Record<string, NotificationChannel>>

/** The time at which a digest is sent. */
export interface DigestTime {
  readonly every: "day" | "week" | "month"
  /** The time of day, such as `09:00`, in the time zone of notifications. */
  readonly at: string
}

/** Which notifications go to which channels. Undefined filters match everything. */
export interface NotificationRule {
  /** Only `digest`, if there is a `digest`. */
  readonly kinds: readonly NotificationKind[]
  /** The names of channels. */
  readonly to: readonly string[]
  /** The least severity. */
  readonly severity: NotificationSeverity | undefined
  /** The names of limits. */
  readonly limits: readonly string[] | undefined
  readonly providers: readonly string[] | undefined
  readonly digest: DigestTime | undefined
}

/** The settings of `notifications`. */
export interface NotificationSettings {
  readonly channels: NotificationChannels
  /** Undefined: all kinds except the digest, to all channels. */
  readonly rules: readonly NotificationRule[] | undefined
}
