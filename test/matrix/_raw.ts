import type { LogRecord } from "../../src/core/log-record.ts"
import { KEY, type Pipeline } from "../support/pipeline.ts"
import { connectRaw } from "../support/raw.ts"

export const KEY_LINE = `X-Majordomo-Key: ${KEY}\r\n`
export const BODY = '{"model":"m","messages":[]}'

/** Returns the text of one request. `headers` contains complete lines. */
export function request(
  headers = "",
  { method = "POST", path = "/v1/chat/completions", body = BODY, version = "1.1", close = true } = {},
): string {
  const length = body === "" ? "" : `Content-Length: ${Buffer.byteLength(body, "latin1")}\r\n`
  const connection = close ? "Connection: close\r\n" : ""
  return `${method} ${path} HTTP/${version}\r\nHost: gateway\r\n${connection}${KEY_LINE}${length}${headers}\r\n${body}`
}

/** Sends the bytes (latin1) and returns everything that the gateway sent until it closed the connection. */
export async function exchange(port: number, text: string): Promise<string> {
  const client = await connectRaw(port)
  client.send(Buffer.from(text, "latin1"))
  return client.closed()
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
}

export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4)
}

/** Waits for the next `count` rows. */
export async function nextRecords(gateway: Pipeline, count: number): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  while (records.length < count) records.push(await gateway.nextRecord())
  return records
}
