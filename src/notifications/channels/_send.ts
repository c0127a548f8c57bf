import type { Notification } from "../../core/notification.ts"
import type { Proxies } from "../../kit/proxy/proxies.ts"
import type { Message } from "../_message.ts"

/** One message to one channel. */
export interface Delivery {
  /** The same in all attempts. */
  readonly id: string
  /** Undefined for a test. */
  readonly notification: Notification | undefined
  readonly message: Message
}

export interface SendOptions {
  readonly proxies: Proxies | undefined
  /** The version of the program. */
  readonly version: string
  readonly now: () => number
  readonly signal?: AbortSignal | undefined
  /** The longest time that an attempt takes. */
  readonly timeoutMs?: number | undefined
}

export const TIMEOUT_MS = 20_000
