import { randomUUID } from "node:crypto"
import type { Client } from "pg"
import type { RunQuery } from "./_database.ts"
import { abortConnection, type Connector } from "./connector.ts"

const CONNECT_TIMEOUT_MS = 5_000
const HEARTBEAT_EVERY_MS = 5_000
const HEARTBEAT_TIMEOUT_MS = 3_000
const BACKOFF_MS = { first: 50, last: 2_000 }

interface ListenerOptions {
  readonly connector: Connector
  /** Runs statements on other connections than the listener's. */
  readonly query: RunQuery
  readonly channel: string
  readonly onNotify: (payload: string) => void
  /** Called with `true` when notifications arrive and after each heartbeat; with `false` as soon as they may be lost. */
  readonly onState: (up: boolean) => void
}

/**
 * Listens to a channel on a connection of its own, which reconnects by itself. Resolves after the first attempt, whether
 * it succeeded or not. The listener counts as up only after a notification from *another* connection has arrived: a pooler
 * in transaction mode, and a standby, accept LISTEN but deliver nothing.
 */
export async function openListener(options: ListenerOptions): Promise<{ close(): Promise<void> }> {
  const stop = new AbortController()
  const { signal } = stop
  let client: Client | undefined
  let backoffMs = BACKOFF_MS.first
  let firstAttempt = () => {}
  const attempted = new Promise<void>((resolve) => {
    firstAttempt = resolve
  })

  const listenUntilLost = async (): Promise<void> => {
    client = await options.connector.connect(CONNECT_TIMEOUT_MS)
    if (signal.aborted) return
    const ended = new Promise<void>((resolve) => void client!.once("end", resolve))
    await startListening(client, options, signal)
    backoffMs = BACKOFF_MS.first
    options.onState(true)
    firstAttempt()
    while (!signal.aborted) {
      if (await within(ended, HEARTBEAT_EVERY_MS, signal)) return
      if (signal.aborted || !(await within(client.query("SELECT 1"), HEARTBEAT_TIMEOUT_MS, signal))) return
      options.onState(true)
    }
  }

  const running = (async () => {
    while (!signal.aborted) {
      await listenUntilLost().catch(() => {})
      if (client) abortConnection(client)
      client = undefined
      options.onState(false)
      firstAttempt()
      await within(new Promise(() => {}), backoffMs, signal)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)
    }
  })()
  await attempted

  return {
    close: async () => {
      stop.abort()
      if (client) abortConnection(client)
      await running
    },
  }
}

/** Runs LISTEN, and resolves when a notification from another connection has arrived. */
async function startListening(client: Client, options: ListenerOptions, signal: AbortSignal): Promise<void> {
  const probe = `majordomo_probe_${randomUUID()}`
  const arrived = new Promise<void>((resolve) => {
    client.on("notification", ({ channel, payload }) => {
      if (channel === probe) resolve()
      else if (channel === options.channel) options.onNotify(payload ?? "")
    })
  })
  const starting = (async () => {
    await client.query(`LISTEN ${quote(options.channel)}; LISTEN ${quote(probe)}`)
    await options.query({ text: "SELECT pg_notify($1, '')", values: [probe], timeoutMs: HEARTBEAT_TIMEOUT_MS })
    await arrived
    await client.query(`UNLISTEN ${quote(probe)}`)
  })()
  if (!(await within(starting, CONNECT_TIMEOUT_MS, signal)))
    throw new Error("notifications do not arrive on this connection")
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Returns whether `work` succeeded within `ms` and before `signal`. Throws what `work` throws. */
function within(work: Promise<unknown>, ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (value: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener("abort", abort)
      resolve(value)
    }
    const abort = () => settle(false)
    const timer = setTimeout(abort, ms)
    signal.addEventListener("abort", abort)
    if (signal.aborted) abort()
    work.then(
      () => settle(true),
      (error) => {
        settle(false)
        reject(error)
      },
    )
  })
}
