import type { Encoding } from "../core/usage.ts"

/** A question to the worker thread. */
export interface CountRequest {
  readonly id: number
  readonly encoding: Encoding
  /** The body of the request; undefined if it is not to be counted. */
  readonly request: Uint8Array | undefined
  /** The text of the answer, as it stood in its JSON. */
  readonly output: Uint8Array
}

/** The answer of the worker thread, in tokens. */
export interface CountResult {
  readonly id: number
  /** undefined if the request is not one that can be counted. */
  readonly input: number | undefined
  readonly output: number
}
