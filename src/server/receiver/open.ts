import type { KeyCache } from "../../database/key-cache.ts"
import type { LedgerHandle } from "../../database/ledger/ledger.ts"
import type { PriceBook } from "../../pricing/price-book.ts"
import type { ServerOptions } from "../options.ts"
import { createReceiver, type Receiver } from "./receiver.ts"

interface ReceiverParts {
  readonly keys: Pick<KeyCache, "find">
  readonly prices: Pick<PriceBook, "price">
  readonly ledger: Pick<LedgerHandle, "append" | "isFull">
  isStopping(): boolean
}

/** Opens the receiver of telemetry; undefined: it is off. */
export function openReceiver(
  { settings, log }: Pick<ServerOptions, "settings" | "log">,
  { keys, prices, ledger, isStopping }: ReceiverParts,
): Receiver | undefined {
  const { server, metadata, telemetry } = settings
  if (!telemetry.receiver.enabled) return undefined
  return createReceiver({
    maxBodyBytes: telemetry.receiver.maxBodyBytes,
    readTimeoutMs: server.readTimeoutMs,
    attribution: metadata,
    maxMetadataKeys: metadata.maxKeys,
    maxMetadataValueLength: metadata.maxValueLength,
    now: Date.now,
    findCaller: keys.find,
    price: prices.price,
    billingOf: (provider) => settings.providers[provider]?.billing,
    append: (record, onStored) => ledger.append(record, onStored),
    isFull: ledger.isFull,
    isStopping,
    onError: (error) =>
      log("error", `internal error in the telemetry receiver: ${error instanceof Error ? error.stack : error}`),
  })
}
