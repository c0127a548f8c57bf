/** What the gateway itself refuses, with the HTTP status of each. */
export const GATEWAY_ERRORS = {
  bad_request: 400,
  unknown_provider: 400,
  invalid_gateway_key: 401,
  unknown_path: 404,
  request_timeout: 408,
  body_too_large: 413,
  internal_error: 500,
  provider_unreachable: 502,
  shutting_down: 503,
  keys_unavailable: 503,
  ledger_full: 503,
  provider_timeout: 504,
} as const

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS

/** An expected failure. Its message is safe to show: no key, no address, no stack. Anything else is a bug. */
export class GatewayError extends Error {
  override readonly name = "GatewayError"
  readonly code: GatewayErrorCode
  readonly status: number

  constructor(code: GatewayErrorCode, message: string) {
    super(message)
    this.code = code
    this.status = GATEWAY_ERRORS[code]
  }
}

/** An expected failure of a command: one line that says what was wrong and what to do. Exit code 1 (2: wrong usage). */
export class CommandError extends Error {
  override readonly name = "CommandError"
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}
