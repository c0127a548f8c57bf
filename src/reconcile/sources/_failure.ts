import { redactSecrets } from "../../core/secrets.ts"
import { isRecord } from "../../kit/json/is-record.ts"
import type { ProviderWords } from "./_source.ts"
import { SourceError } from "./source-error.ts"

/** Why a request for a report failed. */
export type Failure =
  | { readonly kind: "status"; readonly path: string; readonly response: Response; readonly text: string }
  | { readonly kind: "body"; readonly path: string; readonly why: string }
  | {
      readonly kind: "connection"
      readonly path: string
      /** The time limit, if it was exceeded. */
      readonly timeoutMs: number | undefined
      readonly error: unknown
    }

const MAX_SAID_LENGTH = 300

/** Returns the error of a failed request, without the credential and without anything of the connection's own error. */
export function toSourceError(failure: Failure, words: ProviderWords, credential: string): SourceError {
  const { name } = words
  if (failure.kind === "body") {
    const next = "Check the base URL, and whether a proxy answers in its place."
    return new SourceError(
      "unexpected_answer",
      `The answer of ${name} to ${failure.path} is wrong: ${failure.why}. ${next}`,
    )
  }
  if (failure.kind === "connection") {
    const why =
      failure.timeoutMs === undefined
        ? `could not be reached (${codeOf(failure.error)})`
        : `did not answer within ${failure.timeoutMs / 1000} s`
    return new SourceError("unavailable", `${name} ${why}. Check the network and the proxy, and run the command again.`)
  }
  const said = readMessage(failure.text, credential)
  const { reason, sentence } = describeStatus(failure.response, failure.path, words, { said, credential })
  const quoted = said === "" ? "" : ` ${name} says: ${said}`
  return new SourceError(reason, `${sentence}${quoted}`, failure.response.status)
}

function describeStatus(
  { status, headers }: Response,
  path: string,
  words: ProviderWords,
  { said, credential }: { readonly said: string; readonly credential: string },
): { readonly reason: SourceError["reason"]; readonly sentence: string } {
  const { name, setting, keyKind, createAt, right } = words
  if ((status === 401 || status === 403) && isModelKey(credential, words)) {
    const kind = `The key in ${setting} is a key for models, and ${name} gives its bills only to an ${keyKind}`
    const begins = words.keyPrefix === undefined ? "" : `, which begins with ${words.keyPrefix}`
    return {
      reason: status === 401 ? "unauthorized" : "forbidden",
      sentence: `${kind}${begins}. Create one at ${createAt}.`,
    }
  }
  if (status === 401 && /expired/i.test(said)) {
    return { reason: "expired", sentence: `The key in ${setting} has expired. Create a new one at ${createAt}.` }
  }
  if (status === 401) {
    const check = `Check that it is complete and was not deleted, or create a new one at ${createAt}.`
    return { reason: "unauthorized", sentence: `${name} does not accept the ${keyKind} in ${setting}. ${check}` }
  }
  if (status === 403) {
    const sentence = `The key in ${setting} may not read ${path} of ${name}. ${right} Create such a key at ${createAt}.`
    return { reason: "forbidden", sentence }
  }
  if (status === 429) {
    const after = headers.get("retry-after")
    const when = after !== null && /^\d+$/.test(after) ? `after ${after} s` : "in some minutes"
    return { reason: "rate_limited", sentence: `${name} limits how often its reports are read. Try again ${when}.` }
  }
  if (status >= 500 || status === 408) {
    const sentence = `${name} answered ${path} with ${status}, also when it was asked again. Try again later.`
    return { reason: "unavailable", sentence }
  }
  if (status === 400) {
    const sentence = `${name} rejected the request for ${path} (400). Choose other days, or update the gateway.`
    return { reason: "unexpected_answer", sentence }
  }
  const isRedirect = status >= 300 && status < 400
  const why = isRedirect ? ", a redirect, which is not followed because the request carries a key" : ""
  return { reason: "unexpected_answer", sentence: `${name} answered ${path} with ${status}${why}. Check the base URL.` }
}

/** Returns whether the key is one for models by how it begins. */
function isModelKey(credential: string, { keyPrefix, modelKeyPrefix }: ProviderWords): boolean {
  return (
    modelKeyPrefix !== undefined && credential.startsWith(modelKeyPrefix) && !credential.startsWith(keyPrefix ?? " ")
  )
}

/** Returns the provider's message on one line, without secrets. */
function readMessage(text: string, credential: string): string {
  let message = ""
  try {
    const body: unknown = JSON.parse(text)
    const error = isRecord(body) ? body["error"] : undefined
    const found = isRecord(error) ? error["message"] : error
    if (typeof found === "string") message = found
  } catch {
    // The page of a proxy says nothing that helps.
  }
  const clean = redactSecrets(message.replaceAll(credential, "***"))
    .replaceAll(/[\p{Cc}\s]+/gu, " ")
    .trim()
  return clean.length > MAX_SAID_LENGTH ? `${clean.slice(0, MAX_SAID_LENGTH)}…` : clean
}

/** Returns the code of a connection's error, such as `ECONNREFUSED`. Its message contains the address. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } }
  const found = [cause?.code, code].find((each) => typeof each === "string")
  return typeof found === "string" ? found : "the connection broke"
}
