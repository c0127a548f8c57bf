import type { EmptyReason } from "../../operations/usage/empty.ts"
import type { Period } from "../../operations/usage/question.ts"
import { findGateway, type RemoteArgs } from "../_gateway.ts"
import { print } from "../_print.ts"
import { toMoment } from "../_text.ts"

/** Prints why a report has no requests, and what to do. */
export function printEmpty(reason: EmptyReason, args: RemoteArgs, period: Period): void {
  print(renderEmpty(reason, period, findGateway(args)?.url))
}

function renderEmpty(reason: EmptyReason, { since, tz }: Period, gateway: string | undefined): string {
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
