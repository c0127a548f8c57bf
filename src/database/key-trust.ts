import { randomUUID } from "node:crypto"
import type { Database } from "./_database.ts"
import { type GatewayRow, KEY_CHANNEL, parseQuestion, removeGateway, renewGateway, TRUST_MS } from "./gateways.ts"

interface KeyTrustOptions {
  /** Milliseconds that only increase. */
  readonly now: () => number
  /** Called when a key has changed; with undefined when all keys may have changed. */
  readonly onChange: (hash: string | undefined) => void
  /** Called when the database has answered again. */
  readonly onRenewed: () => void
}

/** Whether cached keys can be trusted: only while the database is known to deliver its notifications about changes. */
interface KeyTrust {
  isTrusted(): boolean
  /** Increases when notifications may have been lost. What was cached in an earlier epoch must be looked up again. */
  epoch(): number
  /** Resolves after the first attempt to listen. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** Listens for changes of keys, and keeps the row of this gateway in majordomo_gateways (see gateways.ts). */
export function createKeyTrust(db: Database, { now, onChange, onRenewed }: KeyTrustOptions): KeyTrust {
  let epoch = 0
  let provenAt = Number.NEGATIVE_INFINITY
  let row = newRow(undefined)

  const isTrusted = () => now() - provenAt < TRUST_MS

  const onNotify = (payload: string) => {
    const question = parseQuestion(payload)
    if (question === undefined) {
      onChange(payload === "*" ? undefined : payload)
      return
    }
    row = { ...row, heard: question }
    void renewGateway(db, row).catch(() => {}) // the next heartbeat sends the answer again
  }

  const onState = (up: boolean) => {
    if (!up) {
      provenAt = Number.NEGATIVE_INFINITY
      row = newRow(row.id)
      return
    }
    // The time before the renewal, so that this clock runs out before the one in the database.
    const startedAt = now()
    const { id } = row
    const onSuccess = () => {
      if (id !== row.id) return
      if (!isTrusted()) epoch++
      provenAt = startedAt
      onRenewed()
    }
    void renewGateway(db, row).then(onSuccess, () => {})
  }

  const listening = db.listen(KEY_CHANNEL, { onNotify, onState })
  return {
    isTrusted,
    epoch: () => epoch,
    ready: listening.then(() => {}),
    close: async () => {
      await (await listening).close()
      await removeGateway(db, row.replaces ?? row.id).catch(() => {})
    },
  }
}

function newRow(replaces: string | undefined): GatewayRow {
  return { id: randomUUID(), heard: "0", replaces }
}
