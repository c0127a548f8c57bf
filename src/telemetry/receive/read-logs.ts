import { isRecord } from "../../kit/json/is-record.ts"
import type { Message } from "../otlp/wire.ts"
import { type AgentUsage, type EventAttributes, InvalidEvent } from "./agent-usage.ts"
import { readClaudeCode } from "./claude-code.ts"
import { readCodex } from "./codex.ts"

/** The agents whose events are read. */
const READERS = [readClaudeCode, readCodex]
/** Reports that are older than this are rejected: exporters keep theirs for minutes, and totals of pruned days are final. */
const MAX_AGE_MS = 30 * 24 * 3_600_000

/** An event of usage, with the attributes that its resource has. */
export interface ReportedUsage {
  readonly usage: AgentUsage
  readonly resource: EventAttributes
}

interface ReadLogs {
  readonly reported: readonly ReportedUsage[]
  /** The number of events of usage that cannot become rows, and the first reason. */
  readonly rejected: number
  readonly reason: string | undefined
}

/** Finds the usage in a message of logs. Everything else in it is ignored. */
export function readLogs(message: Message, now: number): ReadLogs {
  const reported: ReportedUsage[] = []
  let rejected = 0
  let reason: string | undefined
  for (const resourceLogs of listOf(message["resourceLogs"])) {
    const resource = readAttributes(objectOf(resourceLogs["resource"])["attributes"])
    for (const scopeLogs of listOf(resourceLogs["scopeLogs"])) {
      for (const record of listOf(scopeLogs["logRecords"])) {
        try {
          const usage = readEvent(record, resource, now)
          if (usage !== undefined) reported.push({ usage, resource })
        } catch (error) {
          if (!(error instanceof InvalidEvent)) throw error
          rejected++
          reason ??= error.message
        }
      }
    }
  }
  return { reported, rejected, reason }
}

function readEvent(record: Message, resource: EventAttributes, now: number): AgentUsage | undefined {
  const own = readAttributes(record["attributes"])
  const event = findName(record, own)
  if (event === undefined) return undefined
  const attributes = { ...resource, ...own }
  for (const read of READERS) {
    const usage = read(event, attributes, readTime(record, own, now))
    if (usage === undefined) continue
    if (now - usage.endedAt > MAX_AGE_MS) throw new InvalidEvent("the event is older than 30 days")
    const { input, cacheRead, cacheWrite, output, reasoning } = usage.tokens
    return input + cacheRead + cacheWrite + output + reasoning === 0 ? undefined : usage
  }
  return undefined
}

/** Claude Code has the prefix of an event's name in the body, and Codex in the attribute. */
function findName(record: Message, own: EventAttributes): string | undefined {
  const name = own["event.name"] ?? record["eventName"]
  if (typeof name !== "string") return undefined
  const body = readValue(record["body"])
  return typeof body === "string" && body.endsWith(`.${name}`) ? body : name
}

/** Returns the time of an event. A clock that is ahead counts as now. */
function readTime(record: Message, own: EventAttributes, now: number): number {
  const named = own["event.timestamp"]
  const iso = typeof named === "string" ? Date.parse(named) : Number.NaN
  if (Number.isFinite(iso) && iso > 0) return iso
  for (const name of ["timeUnixNano", "observedTimeUnixNano"]) {
    const text = String(record[name] ?? "")
    if (/^[1-9]\d{12,19}$/.test(text)) return Number(text.slice(0, -6))
  }
  return now
}

function readAttributes(list: unknown): EventAttributes {
  const attributes: Record<string, unknown> = Object.create(null)
  for (const { key, value } of listOf(list)) {
    if (typeof key === "string") attributes[key] = readValue(value)
  }
  return attributes
}

function readValue(value: unknown): unknown {
  const { stringValue, intValue, doubleValue, boolValue } = objectOf(value)
  if (typeof stringValue === "string") return stringValue
  if (intValue !== undefined) return Number(intValue)
  return doubleValue ?? boolValue
}

const NOTHING: Message = {}

function objectOf(value: unknown): Message {
  return isRecord(value) ? value : NOTHING
}

function listOf(value: unknown): readonly Message[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
