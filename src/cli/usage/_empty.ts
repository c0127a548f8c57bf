import { InputError } from "../../operations/input-error.ts"
import type { EmptyReason } from "../../operations/usage/empty.ts"
import type { Period } from "../../operations/usage/question.ts"
import { findGateway, type RemoteArgs } from "../_gateway.ts"
import { findScreen, print, printMessage } from "../_print.ts"
import { toMoment, wrapProse } from "../_text.ts"

type Reason<Kind extends EmptyReason["kind"]> = Extract<EmptyReason, { readonly kind: Kind }>

/** Says on stderr that a filter has a value which no request has. A program that reads the data gets an empty report. */
export function noteUnknownValue(reason: EmptyReason | undefined): void {
  if (reason?.kind === "unknown") printMessage(`note: ${describeUnknown(reason)}`)
}

function describeUnknown({ noun, value, known, is_similar: isSimilar }: Reason<"unknown">): string {
  const names = known.map((name) => JSON.stringify(name)).join(", ")
  const hint = known.length === 0 ? "there is none" : isSimilar ? `did you mean ${names}?` : `there are ${names}`
  return `no request has ${noun} ${JSON.stringify(value)}; ${hint}`
}

/**
 * Prints why a report has no requests, and what to do.
 *
 * @throws InputError (exit code 2) for a filter with a value that no request has, which is probably a typing error
 */
export function printEmpty(reason: EmptyReason, args: RemoteArgs, period: Period): void {
  if (reason.kind === "unknown") throw new InputError(reason.field, describeUnknown(reason))
  print(wrapProse(renderEmpty(reason, period, findGateway(args)?.url), findScreen().width))
}

function renderEmpty(
  reason: Exclude<EmptyReason, Reason<"unknown">>,
  { since, tz }: Period,
  gateway: string | undefined,
): string {
  const moment = (at: number) => toMoment(new Date(at), tz)
  switch (reason.kind) {
    case "future":
      return `The period begins in the future, on ${moment(since)} (${tz}); it is ${moment(Date.now())} now.\n`
    case "excluded":
      return `No request matches. The newest of all was on ${moment(reason.newest)}: try a longer --since, or fewer filters.\n`
    case "pruned": {
      const day = new Date(reason.before).toISOString().slice(0, 10)
      return `No request matches: those before ${day} were pruned. Their totals remain: usage --by model, provider, key or a time.\n`
    }
    case "no requests":
      return renderFirstRequest(gateway ?? reason.gateway)
  }
}

function renderFirstRequest(gateway: string): string {
  const url = gateway.replace(/\/\/(0\.0\.0\.0|127\.0\.0\.1|\[::1?\])(?=:|$)/, "//localhost")
  return `No requests yet. With the gateway running (majordomo-gateway serve), this makes the first one:

  curl ${url}/v1/chat/completions \\
    -H "X-Majordomo-Key: mdm_sk_…" \\
    -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
    -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'

A key for it: majordomo-gateway keys create --name Development
`
}
