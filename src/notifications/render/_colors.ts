import type { NotificationSeverity } from "../../core/notification.ts"

/** The color of each severity, `#rrggbb`. */
export const SEVERITY_COLORS: Readonly<Record<NotificationSeverity, string>> = {
  info: "#2f6fb0",
  warning: "#b26a00",
  critical: "#b3261e",
}
