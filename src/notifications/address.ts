import type { NotificationChannel } from "../core/notification-settings.ts"

/**
 * Returns where a channel sends to, for people: `https://hooks.slack.com/…`, or the receivers of e-mails and the server. The
 * rest of an address is a secret.
 */
export function maskAddress(channel: NotificationChannel): string {
  if (channel.type !== "email") {
    const { origin, pathname, search } = new URL(channel.url)
    return pathname + search === "/" ? `${origin}/` : `${origin}/…`
  }
  const { protocol, host } = new URL(channel.smtp)
  return `${channel.to.join(", ")} by ${protocol}//${host}`
}

/** Returns the parts of a channel's settings that must not appear in any text. */
export function listSecrets(channel: NotificationChannel): readonly string[] {
  const url = channel.type === "email" ? channel.smtp : channel.url
  const { pathname, search, username, password } = new URL(url)
  const parts = [url, pathname + search, pathname, search, username, password, ...pathname.split("/")]
  const decoded = [username, password].map((part) => decodeURIComponent(part))
  const secret = channel.type === "webhook" ? [channel.secret ?? ""] : []
  return [...parts, ...decoded, ...secret]
    .filter((part) => part.length >= MIN_SECRET)
    .sort((a, b) => b.length - a.length)
}

/** A shorter part, such as `api` of a path, is no secret and may be a word of a message. */
const MIN_SECRET = 5
