import type { StreamFilter } from "../_dialect.ts"
import { bytesOf } from "../_values.ts"

const KEY = Buffer.from('"results_url"')
/** A longer address is passed on as it is. */
const MAX_VALUE_BYTES = 4096
const VALUE = /^\s*:\s*"(https?:\/\/[^/"\\]+[^"\\]*?)\/v1\/messages\/batches\/[^"\\]*"/
const HOST = /^[\w.:[\]-]+$/

/**
 * Returns the gateway's address as the client uses it; undefined: it is not known.
 * @param setting an address that is used as it is, or whether to use the client's `Host`
 */
export function findGatewayAddress(setting: boolean | string | undefined, host: unknown): string | undefined {
  if (typeof setting === "string") return setting
  return setting && typeof host === "string" && HOST.test(host) ? `http://${host}` : undefined
}

/**
 * Replaces the provider's address in each `results_url` by the gateway's. The SDKs download the results of a batch from
 * that URL, so that otherwise the download does not pass through the gateway. Every other byte stays.
 */
export class ResultsUrlFilter implements StreamFilter {
  private readonly address: string
  private held: Buffer = Buffer.alloc(0)

  constructor(address: string) {
    this.address = address
  }

  push(bytes: Uint8Array): Uint8Array {
    const data = this.held.length === 0 ? bytesOf(bytes) : Buffer.concat([this.held, bytesOf(bytes)])
    const pieces: Buffer[] = []
    let from = 0
    for (let at = data.indexOf(KEY); at >= 0; at = data.indexOf(KEY, from)) {
      const start = at + KEY.length
      const end = findEndOfValue(data, start)
      if (end === undefined) {
        pieces.push(data.subarray(from, at))
        this.held = Buffer.from(data.subarray(at))
        return Buffer.concat(pieces)
      }
      pieces.push(data.subarray(from, start), this.replace(data.subarray(start, end)))
      from = end
    }
    const rest = data.subarray(from)
    const kept = lengthOfUnfinishedKey(rest)
    this.held = Buffer.from(rest.subarray(rest.length - kept))
    return Buffer.concat([...pieces, rest.subarray(0, rest.length - kept)])
  }

  end(): Uint8Array {
    return this.held
  }

  private replace(value: Buffer): Buffer {
    const text = value.toString("latin1")
    const address = VALUE.exec(text)?.[1]
    return address === undefined
      ? value
      : Buffer.from(
          text.replace(address, () => this.address),
          "latin1",
        )
  }
}

/** Returns where the value after a key ends, if it is a text or `null`; undefined: it goes on after the bytes. */
function findEndOfValue(data: Buffer, start: number): number | undefined {
  const text = data.toString("latin1", start, start + MAX_VALUE_BYTES)
  const whole = /^\s*:\s*(?:"[^"]*"|[^"\s])/.exec(text)
  if (whole) return start + whole[0].length
  const mayGoOn = text.length < MAX_VALUE_BYTES && /^\s*(?::\s*(?:"[^"]*)?)?$/.test(text)
  return mayGoOn ? undefined : start
}

/** Returns how many bytes at the end may be the beginning of the key. */
function lengthOfUnfinishedKey(data: Buffer): number {
  for (let length = Math.min(KEY.length - 1, data.length); length > 0; length--) {
    if (data.subarray(data.length - length).equals(KEY.subarray(0, length))) return length
  }
  return 0
}
