import { parentPort } from "node:worker_threads"
import type { Encoding } from "../core/usage.ts"
import type { CountRequest, CountResult } from "./messages.ts"
import { type CountTokens, countEscaped, countRequest } from "./texts.ts"

/** Words such as `<|endoftext|>` are counted as text. */
const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() }

const LOADERS: { readonly [K in Encoding]: () => Promise<CountTokens> } = {
  async o200k_base() {
    const { countTokens } = await import("gpt-tokenizer/encoding/o200k_base")
    return (text) => countTokens(text, PLAIN)
  },
  async cl100k_base() {
    const { countTokens } = await import("gpt-tokenizer/encoding/cl100k_base")
    return (text) => countTokens(text, PLAIN)
  },
}

const port = parentPort!
const text = new TextDecoder()

port.on("message", async ({ id, encoding, request, output }: CountRequest) => {
  const count = await LOADERS[encoding]()
  const counted = {
    input: request === undefined ? undefined : countRequest(text.decode(request), count),
    output: countEscaped(text.decode(output), count),
  }
  port.postMessage({ id, ...counted } satisfies CountResult)
})
