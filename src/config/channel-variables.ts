import { isRecord } from "../kit/json/is-record.ts"
import { readTable } from "./notification-channels.ts"
import type { SourcedValue } from "./sources.ts"

const PATH = "notifications.channels"
const VARIABLE = /^MAJORDOMO_NOTIFICATIONS_CHANNELS_([A-Z0-9_]+)_(TYPE|URL|SECRET|TO|FROM|SMTP)$/

/** Returns the path of a variable with one field of a channel: `MAJORDOMO_NOTIFICATIONS_CHANNELS_OPS_URL`. */
export function toChannelPath(variable: string): string | undefined {
  const [, name, field] = VARIABLE.exec(variable) ?? []
  return name === undefined || field === undefined ? undefined : `${PATH}.${name.toLowerCase()}.${field.toLowerCase()}`
}

/** Adds the fields of variables to the table of channels, so that its addresses and secrets need not stand in a file. */
export function mergeChannelFields(sourced: readonly SourcedValue[]): readonly SourcedValue[] {
  const isField = ({ path }: SourcedValue) => path.startsWith(`${PATH}.`)
  const fields = sourced.filter((each) => isField(each) && each.value !== "")
  const rest = sourced.filter((each) => !isField(each))
  const whole = rest.findLast(({ path }) => path === PATH)
  const table = readTable(whole?.value ?? {})
  if (fields.length === 0 || table === undefined) return rest
  const merged: Record<string, unknown> = { ...table }
  for (const { path, value } of fields) {
    const [name = "", field = ""] = path.slice(PATH.length + 1).split(".")
    const known = Object.keys(merged).find((each) => each.toLowerCase().replaceAll("-", "_") === name) ?? name
    const before = merged[known]
    merged[known] = { ...(isRecord(before) ? before : {}), [field]: value }
  }
  const sources = [...(whole ? [whole.source] : []), ...fields.map(({ source }) => source)]
  const others = rest.filter(({ path }) => path !== PATH)
  return [...others, { path: PATH, value: merged, source: sources.join(", "), dir: whole?.dir ?? "" }]
}
