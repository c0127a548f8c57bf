import { setTimeout as wait } from "node:timers/promises"
import type { Installation, RunningGateway } from "../support/gateway.ts"
import { ask } from "./_ask.ts"

/** The differences between the rows of a database and what clients and the provider know. */
export interface Account {
  readonly rows: number
  readonly died: number
  /** Requests without a row that were answered completely or reached the provider. */
  readonly lost: readonly string[]
  /** Rows of a request beyond its first. */
  readonly duplicates: readonly string[]
}

export interface TaggedRow {
  readonly tag: string
  readonly outcome: string
}

export function toAccount(rows: readonly TaggedRow[], expected: Iterable<string>): Account {
  const seen = new Set<string>()
  const duplicates: string[] = []
  for (const { tag } of rows) {
    if (seen.has(tag)) duplicates.push(tag)
    seen.add(tag)
  }
  const lost = [...new Set(expected)].filter((tag) => !seen.has(tag))
  const died = rows.filter(({ outcome }) => outcome === "gateway_died").length
  return { rows: rows.length, died, lost, duplicates }
}

const ROWS = "SELECT raw_metadata ->> 'Tag' AS tag, outcome FROM llm_requests WHERE raw_metadata ? 'Tag'"

export const readRows = (url: string): Promise<TaggedRow[]> => ask<TaggedRow>(url, ROWS)

/** Returns the value of one line of /metrics, without labels. */
export async function metric(gateway: RunningGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.origin}/metrics`)).text()
  const found = new RegExp(`^${name} (\\S+)$`, "m").exec(text)
  if (found === null) throw new Error(`/metrics does not contain ${name}`)
  return Number(found[1])
}

export interface FourNumbers {
  readonly accepted: number
  readonly written: number
  readonly waiting: number
  readonly rejected: number
  readonly dropped: number
}

/** Reads the last log line of a gateway that has ended. */
export function lastNumbers(stderr: string): FourNumbers {
  const last = stderr.trimEnd().split("\n").at(-1)!
  const found = /(\d+) accepted = (\d+) written \+ (\d+) waiting \+ (\d+) rejected \+ (\d+) dropped/.exec(last)
  if (found === null) throw new Error(`the last line contains no numbers: ${last}`)
  const [accepted, written, waiting, rejected, dropped] = found.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  return { accepted, written, waiting, rejected, dropped }
}

/** Waits until the gateway has written nearly all waiting rows. Returns how long that took, in ms. */
export async function untilDrained(gateway: RunningGateway): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    if ((await metric(gateway, "majordomo_rows_waiting")) < 200) return performance.now() - startedAt
    await wait(50)
  }
}

/** Returns the first key, from the banner of the first start. */
export function firstKey(gateway: RunningGateway): string {
  const key = /mdm_sk_[\w-]+/.exec(gateway.stdout)?.[0]
  if (key === undefined) throw new Error("no first key was printed")
  return key
}

export async function verifyBooks(home: Installation): Promise<unknown> {
  return home.runJson(["verify"])
}
