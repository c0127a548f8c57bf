import type { Notification, NotificationKind } from "../../core/notification.ts"
import type { Message } from "../_message.ts"

/** The parts of a message that depend on its kind. */
type Draft = Omit<Message, "kind" | "severity" | "footer">

export interface TemplateContext {
  /** The address of the dashboard, such as `https://gateway.example.com/dashboard/`; undefined: it is not known. */
  readonly dashboardUrl: string | undefined
}

export type Template<K extends NotificationKind> = (notification: Notification<K>, context: TemplateContext) => Draft

interface Target {
  readonly label: string
  /** The path of the view below `/dashboard/`. Empty: the overview. */
  readonly view: string
  readonly params?: Readonly<Record<string, string | undefined>>
}

/** Chat programs limit addresses. A longer name is left out, so that the page shows more than it. */
const MAX_PARAM = 120

/** Returns a link to a view of the dashboard. */
export function toLink({ dashboardUrl }: TemplateContext, { label, view, params = {} }: Target): Message["link"] {
  if (dashboardUrl === undefined) return undefined
  const base = dashboardUrl.replace(/\/+$/, "")
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value.length <= MAX_PARAM) query.append(name, value)
  }
  const root = base.endsWith("/dashboard") ? base : `${base}/dashboard`
  // Colons and slashes are legible in an address, and may stand there.
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/")
  return { label, url: `${root}/${view}${text === "" ? "" : `?${text}`}` }
}

/** Returns a text for a command that people copy, or a placeholder for one that a shell could read in another way. */
export function toArgument(text: string, placeholder: string): string {
  return /^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,120}$/.test(text) ? text : placeholder
}

/** Joins the paragraphs of a summary. */
export function toParagraphs(...paragraphs: readonly (string | undefined)[]): string {
  return paragraphs.filter((each) => each !== undefined && each !== "").join("\n\n")
}

/** Returns a time in an address, without milliseconds: `2026-11-28T14:00:00Z`. */
export function toAddressTime(iso: string): string {
  return iso.replace(/\.\d+(?=Z$)/, "")
}
