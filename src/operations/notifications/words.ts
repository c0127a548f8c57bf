import type { Notification } from "../../core/notification.ts"
import type { Message } from "../../notifications/_message.ts"
import { toMessage } from "../../notifications/templates/index.ts"
import type { Context } from "../context.ts"

/** Returns the address of the dashboard that messages link to; undefined if the settings do not say it. */
export function findDashboardUrl({ settings }: Context<"settings">): string | undefined {
  const { url } = settings.admin
  return url === undefined ? undefined : `${url}/dashboard/`
}

/** Puts a notification into words, with links into the dashboard. */
export function toWords(context: Context<"settings">, notification: Notification): Message {
  return toMessage(notification, { dashboardUrl: findDashboardUrl(context) })
}
