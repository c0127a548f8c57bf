import { createConsola } from "consola"
import { CommandError } from "../core/errors.ts"
import type { LogRecord } from "../core/log-record.ts"
import { redactSecrets } from "../core/secrets.ts"
import { toRequestLine } from "./_request-line.ts"
import { printable, toPrintableJson } from "./_text.ts"

type Level = "info" | "warn" | "error"

/** The log of `serve`. */
export interface Log {
  readonly format: "text" | "json"
  line(level: Level, text: string): void
  /** Writes one line per request, after the current work of the event loop. */
  request(record: LogRecord): void
}

/** Creates the log, which goes to stderr: text for people, or one JSON object per line for programs. */
export function createLog(options: { readonly format: string | undefined; readonly quiet: boolean }): Log {
  const format = options.format ?? (process.stderr.isTTY ? "text" : "json")
  if (format !== "text" && format !== "json") {
    throw new CommandError(`--log-format: expected text or json, got ${JSON.stringify(format)}`, 2)
  }
  const line = format === "json" ? jsonLine : textLine()
  const waiting: LogRecord[] = []
  function flush(): void {
    const lines = waiting.splice(0).map((record) => (format === "json" ? toJson(record) : toRequestLine(record)))
    process.stderr.write(`${lines.join("\n")}\n`)
  }
  return {
    format,
    line,
    request(record) {
      if (options.quiet) return
      if (waiting.length === 0) setImmediate(flush)
      waiting.push(record)
    },
  }
}

/** Turns the warnings of Node and of packages into lines of the log. Node would print them as plain text. */
export function logWarnings({ line }: Log): void {
  process.removeAllListeners("warning")
  process.on("warning", ({ name, message }) => line("warn", `${name}: ${message.split("\n", 1)[0]}`))
}

function textLine(): Log["line"] {
  const consola = createConsola({ stdout: process.stderr, stderr: process.stderr, formatOptions: { date: false } })
  return (level, text) => consola[level](printable(redactSecrets(text), "lines"))
}

function jsonLine(level: Level, text: string): void {
  const message = redactSecrets(text)
  process.stderr.write(`${toPrintableJson({ time: new Date().toISOString(), level, message })}\n`)
}

function toJson(record: LogRecord): string {
  return JSON.stringify({
    time: record.responded_at,
    level: "info",
    message: "request",
    id: record.id,
    provider: record.provider,
    model: printable(record.model),
    status: record.status_code,
    outcome: record.outcome,
    streamed: record.streamed,
    duration_ms: record.response_time_ms,
    input_tokens: record.input_tokens,
    cached_tokens: record.cached_tokens,
    output_tokens: record.output_tokens,
    total_cost: record.total_cost ?? null,
    cost_status: record.cost_status,
    billing: record.billing,
    feature: toPrintable(record.raw_metadata?.["Feature"]),
    user: toPrintable(record.raw_metadata?.["User-Id"]),
  })
}

const toPrintable = (text: string | undefined) => (text === undefined ? undefined : printable(text))
