import { CommandError, ConflictError, NotFoundError } from "../core/errors.ts"
import { InputError } from "../operations/input-error.ts"

/** An error of the API as RFC 9457 defines it (`application/problem+json`). Contains no secret and no stack. */
export interface Problem {
  readonly type: "about:blank"
  readonly title: string
  readonly status: number
  /** It says what happened, why, and what to do. */
  readonly detail: string
  /** The detail again, under the name that clients of the Go gateway read. */
  readonly error: string
  readonly code: ProblemCode
  /** The parameter that is not valid, for `invalid_input`; without it, `detail` names what is not valid. */
  readonly field?: string
}

/** The codes of problems, with their HTTP status and title. */
const PROBLEMS = {
  invalid_input: [400, "Bad Request"],
  unauthenticated: [401, "Unauthorized"],
  forbidden: [403, "Forbidden"],
  not_found: [404, "Not Found"],
  method_not_allowed: [405, "Method Not Allowed"],
  conflict: [409, "Conflict"],
  input_too_large: [413, "Content Too Large"],
  unsupported_media_type: [415, "Unsupported Media Type"],
  rejected: [422, "Unprocessable Content"],
  too_many_attempts: [429, "Too Many Requests"],
  internal_error: [500, "Internal Server Error"],
  database_unavailable: [503, "Service Unavailable"],
} as const satisfies Record<string, readonly [status: number, title: string]>

type ProblemCode = keyof typeof PROBLEMS

/** An error whose problem is known. */
export class ApiError extends CommandError {
  readonly code: ProblemCode
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.code = code
    this.headers = headers
  }
}

function toProblem(code: ProblemCode, detail: string, more: { readonly field?: string } = {}): Problem {
  const [status, title] = PROBLEMS[code]
  return { type: "about:blank", title, status, detail, error: detail, code, ...more }
}

/** Returns the problem of an error. An error that nobody expected is a bug: its message may contain anything. */
export function explainError(error: unknown): Problem {
  if (error instanceof ApiError) return toProblem(error.code, error.message)
  if (error instanceof InputError) return toProblem("invalid_input", error.problem, { field: error.field })
  if (error instanceof NotFoundError) return toProblem("not_found", error.message)
  if (error instanceof ConflictError) return toProblem("conflict", error.message)
  if (error instanceof CommandError)
    return toProblem(error.exitCode === 2 ? "invalid_input" : "rejected", error.message)
  return toProblem("internal_error", "a bug of the gateway; its log has the error")
}

/** Returns the error that a problem of a gateway stands for. */
export function toError({ detail, code, field }: Problem): CommandError {
  if (code === "invalid_input") return field === undefined ? new CommandError(detail, 2) : new InputError(field, detail)
  return code === "not_found" ? new NotFoundError(detail) : new CommandError(detail)
}
