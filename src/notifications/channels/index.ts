import type { NotificationChannel } from "../../core/notification-settings.ts"
import { listSecrets } from "../address.ts"
import { toWebhookBody } from "../render/json.ts"
import { toSlackBody } from "../render/slack.ts"
import type { Delivery, SendOptions } from "./_send.ts"
import { post } from "./http.ts"
import { sign } from "./signature.ts"

export type { SendOptions } from "./_send.ts"
export { DeliveryError } from "./delivery-error.ts"

/**
 * Sends one message to a channel.
 *
 * @returns a sentence if some of its receivers did not get it
 * @throws DeliveryError, whose message contains no secret
 */
export async function send(
  channel: NotificationChannel,
  delivery: Delivery,
  options: SendOptions,
): Promise<string | undefined> {
  if (channel.type === "email") return (await import("./email.ts")).sendEmail(channel, delivery, options)
  const { id, notification, message } = delivery
  const content = channel.type === "webhook" ? toWebhookBody(notification, message) : toSlackBody(message, channel.type)
  const body = JSON.stringify(content)
  const secret = channel.type === "webhook" ? channel.secret : undefined
  const signature: Record<string, string> =
    secret === undefined ? {} : { "X-Majordomo-Signature": sign(secret, body, options.now()) }
  const headers = { "X-Majordomo-Delivery": id, ...signature }
  await post({ url: channel.url, body, headers, secrets: listSecrets(channel) }, options)
  return undefined
}
