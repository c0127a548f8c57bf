import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import type { BodyOptions } from "../../src/bodies/index.ts"
import type { Call } from "../../src/core/call.ts"
import { uuidV7 } from "../../src/kit/uuid.ts"
import { ACCESS_KEY, BUCKET, REGION, SECRET_KEY } from "../support/s3.ts"

export const CALLER = { keyId: "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000" }
export const RECEIVED_AT = Date.UTC(2026, 10, 21, 15, 30)

export function makeCall(given: Partial<Call> & { readonly raw?: readonly string[] } = {}): Call {
  const rawHeaders = given.raw ?? ["Content-Type", "application/json"]
  const headers: Record<string, string> = {}
  for (let i = 0; i < rawHeaders.length; i += 2) headers[rawHeaders[i]!.toLowerCase()] = rawHeaders[i + 1]!
  return {
    id: uuidV7(RECEIVED_AT),
    receivedAt: RECEIVED_AT,
    method: "POST",
    path: "/v1/chat/completions",
    query: "",
    metadata: {},
    body: Buffer.from('{"model":"gpt-4o-mini"}'),
    ...given,
    rawHeaders,
    headers,
  }
}

/** @param supplied the secrets that the gateway has added to the request */
export function answerHead(contentType: string, more: readonly string[] = [], supplied: readonly string[] = []) {
  const headers = ["Content-Type", contentType, ...more].map((text) => Buffer.from(text, "latin1"))
  return { statusCode: 200, headers, supplied }
}

/** Returns the options of a store for a test, with what the store logs. */
export function makeOptions(given: Partial<BodyOptions> & { readonly endpoint?: string } = {}) {
  const logged: { level: string; line: string }[] = []
  const watchers: (() => void)[] = []
  const options: BodyOptions = {
    storage: "s3",
    storeRequestBody: true,
    clientOptOut: true,
    storeResponseBody: true,
    maxBodyBytes: 65536,
    redact: [],
    s3: {
      bucket: BUCKET,
      region: REGION,
      endpoint: given.endpoint,
      accessKeyId: ACCESS_KEY,
      secretAccessKey: SECRET_KEY,
    },
    dir: mkdtempSync(join(tmpdir(), "majordomo-bodies-")),
    maxDiskBytes: 64 << 20,
    syncIntervalMs: 100,
    clearKeys: async (ids) => ids,
    timing: { minMs: 20, maxMs: 50, lastingMs: 50 },
    workerUrl: null,
    log(level, line) {
      logged.push({ level, line })
      for (const watcher of watchers) watcher()
    },
    ...given,
  }
  /** Resolves when a line that matches has been logged. */
  const waitForLine = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      const look = () => {
        const found = logged.find(({ line }) => pattern.test(line))
        if (found) resolve(found.line)
      }
      watchers.push(look)
      look()
    })
  return { options, logged, waitForLine }
}

export function parseObject(body: Buffer) {
  return JSON.parse(gunzipSync(body).toString("utf8"))
}
