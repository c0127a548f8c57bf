import { createTable } from "../core/table.ts"
import type { Sample } from "./sample.ts"

const QUESTIONS: Readonly<Record<string, readonly [question: string, answer: string]>> = createTable({
  "chat-bot": ["Where is my order 4711?", "Your order left our warehouse this morning and arrives on Thursday."],
  "ticket-triage": ["Customer cannot sign in since the update.", '{"team":"accounts","urgency":"high"}'],
  "code-review": ["Review this change of the retry loop.", "The delay doubles without a limit. Cap it at 30 seconds."],
  agent: ["Make the failing test of the parser pass.", "The parser skips the last line. I will change the loop."],
  reports: ["Summarize the three documents about tariffs.", "All three expect higher tariffs from January."],
  "house-style": ["Rewrite: we are sorry for any inconvenience", "We made a mistake, and we have corrected it."],
})

/** Returns invented bodies of a sample, as the provider's API has them in short; undefined for embeddings and errors. */
export function inventBodies({ call, requestedModel, ending, provider }: Sample) {
  const text = QUESTIONS[call.metadata["Feature"] ?? ""]
  if (text === undefined || ending.statusCode >= 400) return undefined
  const [question, answer] = text
  const messages = [{ role: "user", content: question }]
  if (provider === "gemini") {
    return {
      request_body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: question }] }] }),
      response_body: JSON.stringify({ candidates: [{ content: { role: "model", parts: [{ text: answer }] } }] }),
    }
  }
  const reply =
    provider === "anthropic"
      ? { role: "assistant", content: [{ type: "text", text: answer }] }
      : { choices: [{ index: 0, message: { role: "assistant", content: answer }, finish_reason: "stop" }] }
  return {
    request_body: JSON.stringify({ model: requestedModel, messages }),
    response_body: JSON.stringify({ model: requestedModel, ...reply }),
  }
}
