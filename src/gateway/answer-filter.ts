import { isCompressed } from "./decode.ts"
import { createErrorGuard } from "./error-guard.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { AnswerFilter, ResponsePlan } from "./response-plan.ts"

/**
 * Creates the filter of an answer; undefined: nothing is changed. It removes from a stream what the edit of the request
 * added, changes addresses in a document, and keeps the gateway's own credential out of an error.
 */
export function createFilter(
  plan: ResponsePlan,
  request: ProxiedRequest,
  answer: { readonly statusCode: number; readonly isEdited: boolean },
): AnswerFilter | undefined {
  const filter = createDialectFilter(plan, request, answer.isEdited)
  if (!plan.isGuarded) return filter
  const { contentEncoding } = plan
  const guard = createErrorGuard(request, { contentEncoding, statusCode: answer.statusCode })
  return filter === undefined ? guard : chain(filter, guard)
}

/** An answer that is compressed although the gateway asked for plain bytes is passed on as it is. */
function createDialectFilter(
  plan: ResponsePlan,
  { prepared }: ProxiedRequest,
  isEdited: boolean,
): AnswerFilter | undefined {
  const create = plan.streamed ? (isEdited ? prepared.createFilter : undefined) : prepared.createRewriter
  return create === undefined || isCompressed(plan.contentEncoding) ? undefined : create()
}

/** Both get plain bytes, so that neither changes a header. */
function chain(first: AnswerFilter, second: AnswerFilter): AnswerFilter {
  return {
    push: (bytes) => second.push(first.push(bytes)),
    end: () => Buffer.concat([second.push(first.end()), second.end()]),
  }
}
