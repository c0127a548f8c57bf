import type { NotificationOptions, Notifications } from "./notifications/parts.ts"

/** Opens the notifications of this process; undefined without channels, so that nothing runs and nothing is loaded. */
export async function openNotifications(options: NotificationOptions): Promise<Notifications | undefined> {
  if (Object.keys(options.settings.notifications.channels).length === 0) return undefined
  const { startNotifications } = await import("./notifications/start.ts")
  return startNotifications(options)
}
