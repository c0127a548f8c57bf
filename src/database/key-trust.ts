import { uuidV7 } from "../kit/uuid.ts"
import type { Database } from "./_database.ts"
import {
  type GatewayIdentity,
  isQuestion,
  KEY_CHANNEL,
  LIMITS,
  PROVIDER_KEYS,
  removeGateway,
  renewGateway,
  TRUST_MS,
} from "./gateways.ts"

/** The time between two renewals while notifications do not arrive. The listener's heartbeat is as frequent. */
const RENEW_INTERVAL_MS = 5_000

interface KeyTrustOptions {
  readonly identity: GatewayIdentity
  /** Milliseconds that only increase. */
  readonly now: () => number
  /** Called when a key has changed, with its hash, `PROVIDER_KEYS` or `LIMITS`; with undefined when all keys may have changed. */
  readonly onChange: (hash: string | undefined) => void
  /** Called when the database has answered again. */
  readonly onRenewed: () => void
}

/** Whether cached keys can be trusted: only while the database is known to deliver its notifications about changes. */
interface KeyTrust {
  isTrusted(): boolean
  /** Increases when notifications may have been lost. What was cached in an earlier epoch must be looked up again. */
  epoch(): number
  /** The last moment at which the gateway is known to have heard of all revocations. */
  contactAt(): number
  /** Resolves after the first attempt to listen. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** Listens for changes of keys, and keeps the row of this gateway in majordomo_gateways (see gateways.ts). */
export function createKeyTrust(db: Database, { identity, now, onChange, onRenewed }: KeyTrustOptions): KeyTrust {
  // It says when the process started, which `status` shows.
  const id = uuidV7(Date.now())
  let epoch = 0
  let provenAt = Number.NEGATIVE_INFINITY
  let contactAt = Number.NEGATIVE_INFINITY
  let heard = "0"
  let isNew = true
  /** Increases with each change of the listener's state. Undefined while it is down. */
  let connection: number | undefined
  let connections = 0

  const isTrusted = () => now() - provenAt < TRUST_MS

  async function renew(): Promise<void> {
    // The time before the renewal, so that this clock runs out before the one in the database.
    const startedAt = now()
    const startedOn = connection
    const question = await renewGateway(db, { ...identity, id, heard, isNew })
    isNew = false
    contactAt = startedAt
    if (question !== heard) {
      onChange(undefined)
      heard = question
      return renew() // writes the answer
    }
    if (startedOn !== undefined && startedOn === connection) {
      if (!isTrusted()) {
        epoch++
        onChange(PROVIDER_KEYS)
        onChange(LIMITS)
      }
      provenAt = startedAt
    }
    onRenewed()
  }

  const renewal = createRepeatable(() => renew().catch(() => {})) // the next heartbeat tries again

  const onNotify = (payload: string) => {
    if (isQuestion(payload)) renewal.start()
    else onChange(payload === "*" ? undefined : payload)
  }

  const onState = (up: boolean) => {
    if (up) {
      connection ??= ++connections
      renewal.start()
    } else {
      connection = undefined
      provenAt = Number.NEGATIVE_INFINITY
    }
  }

  const renewIfDown = () => connection === undefined && renewal.start()
  const timer = setInterval(renewIfDown, RENEW_INTERVAL_MS).unref()
  const listening = db.listen(KEY_CHANNEL, { onNotify, onState })
  return {
    isTrusted,
    epoch: () => epoch,
    contactAt: () => contactAt,
    ready: listening.then(() => void renewIfDown()),
    close: async () => {
      clearInterval(timer)
      await (await listening).close()
      await renewal.finish()
      await removeGateway(db, id).catch(() => {})
    },
  }
}

/** Runs `work` once at a time. Starts while it runs share one further run, so that a flood of questions costs little. */
function createRepeatable(work: () => Promise<void>) {
  let running: Promise<void> | undefined
  let isWanted = false

  function start(): void {
    isWanted = true
    running ??= run()
  }

  async function run(): Promise<void> {
    while (isWanted) {
      isWanted = false
      await work()
    }
    running = undefined
  }

  return {
    start,
    /** Waits for the run that has begun; no other follows it. */
    async finish(): Promise<void> {
      isWanted = false
      await running
    },
  }
}
