import type { Headers } from "../core/call.ts"

/** The part of a request that a dialect reads. Plain data. */
export interface ProviderRequest {
  readonly provider: string
  readonly method: string
  /** The path that the provider gets, without query. */
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** The request's body, or the outline of a large one (`LargeBody`). It may be empty, and may be anything. */
  readonly body: Uint8Array
  /** Returns the first `maxBytes` bytes of a large body; undefined when `body` is the whole. */
  readonly readStart?: ((maxBytes: number) => Uint8Array) | undefined
  /** Host name of the provider, for regional prices. */
  readonly host: string
}
