import { Agent, request } from "node:http"
import type { FakeProvider } from "../support/fake-provider.ts"

/** The results of the requests of a load. */
export interface Sent {
  readonly requests: number
  /** Responses other than a complete 200. */
  readonly failed: readonly { readonly tag: string; readonly why: string }[]
  /** The tags of the completely answered requests. */
  readonly answered: readonly string[]
  readonly p99Ms: number
  readonly worstMs: number
}

export interface Load {
  /** Removes a gateway that will be killed, so that no client uses it until `aim` sets another one. */
  aim(port: number | undefined): void
  /** The number of requests so far. */
  readonly requests: number
  stop(): Promise<Sent>
}

const PATIENCE_MS = 180_000

/** Clients that send requests one after the other, each with its own tag in its metadata and its text. */
export function startLoad(options: {
  readonly key: string
  readonly clients: number
  readonly prefix: string
  readonly perSecond?: number
}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients })
  const failed: { tag: string; why: string }[] = []
  const answered: string[] = []
  const timesMs: number[] = []
  const pauseMs = options.perSecond === undefined ? 0 : (1000 * options.clients) / options.perSecond
  let port: number | undefined
  let requests = 0
  let isStopped = false
  let wake = () => {}
  let aimed = new Promise<void>((resolve) => {
    wake = resolve
  })

  async function ask(): Promise<void> {
    while (!isStopped) {
      if (port === undefined) {
        await aimed
        continue
      }
      const tag = `${options.prefix}-${requests++}`
      const startedAt = performance.now()
      const why = await askOnce({ ...options, agent, port, tag, stream: requests % 5 === 0 })
      timesMs.push(performance.now() - startedAt)
      if (why === undefined) answered.push(tag)
      else failed.push({ tag, why })
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  const clients = Array.from({ length: options.clients }, ask)
  return {
    get requests() {
      return requests
    },
    aim(next) {
      port = next
      wake()
      aimed = new Promise((resolve) => {
        wake = resolve
      })
    },
    async stop() {
      isStopped = true
      wake()
      await Promise.all(clients)
      agent.destroy()
      timesMs.sort((a, b) => a - b)
      const p99Ms = timesMs[Math.floor(timesMs.length * 0.99)] ?? 0
      return { requests, failed, answered, p99Ms, worstMs: timesMs.at(-1) ?? 0 }
    },
  }
}

interface One {
  readonly key: string
  readonly agent?: Agent
  readonly port: number
  readonly tag: string
  readonly stream: boolean
  readonly script?: object
}

/** Returns undefined for a complete 200, or else the reason why not. */
export function askOnce({ key, agent, port, tag, stream, script }: One): Promise<string | undefined> {
  const body = JSON.stringify({ model: "gpt-4o-mini", stream, messages: [{ role: "user", content: tag }] })
  const headers: Record<string, string> = {
    "x-majordomo-key": key,
    "x-majordomo-tag": tag,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
  }
  if (script) headers["x-fake-provider"] = JSON.stringify(script)
  return new Promise((resolve) => {
    const asking = request(
      { host: "127.0.0.1", port, path: "/v1/chat/completions", method: "POST", agent, headers },
      (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (piece) => {
          text += piece
        })
        response.once("end", () => {
          const isWhole = !stream || text.trimEnd().endsWith("[DONE]")
          if (response.statusCode === 200 && isWhole) resolve(undefined)
          else resolve(`${response.statusCode} ${text.slice(0, 200)}`)
        })
        response.once("error", (error) => resolve(error.message))
      },
    )
    asking.setTimeout(PATIENCE_MS, () => asking.destroy(new Error("no answer within three minutes")))
    asking.once("error", (error) => resolve(error.message))
    asking.end(body)
  })
}

/** Returns the tags of all requests that reached the fake provider. */
export function tagsSeen({ exchanges }: FakeProvider): string[] {
  return exchanges.map(({ json }) => {
    const { messages } = json as { messages: { content: string }[] }
    return messages[0]!.content
  })
}
