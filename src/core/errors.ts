import { createTable } from "./table.ts"

/** The HTTP status of each error that the gateway itself reports. */
const STATUS_OF_CODE = {
  bad_request: 400,
  unknown_provider: 400,
  foreign_credential: 400,
  missing_metadata: 400,
  invalid_gateway_key: 401,
  expired_gateway_key: 401,
  no_provider_credential: 401,
  provider_key_removed: 401,
  model_not_allowed: 403,
  provider_not_allowed: 403,
  unpriced_model: 403,
  unknown_path: 404,
  unknown_model: 404,
  request_timeout: 408,
  body_too_large: 413,
  upgrade_required: 426,
  limit_exceeded: 429,
  internal_error: 500,
  provider_unreachable: 502,
  shutting_down: 503,
  keys_unavailable: 503,
  vault_unavailable: 503,
  ledger_full: 503,
  limits_unavailable: 503,
  too_many_websockets: 503,
  out_of_descriptors: 503,
  disk_full: 503,
  provider_busy: 503,
  provider_timeout: 504,
} as const

export type GatewayErrorCode = keyof typeof STATUS_OF_CODE

/**
 * An expected failure of a request. Its message is safe to show to the client: it contains no key, address or stack.
 * Any other error is a bug.
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError"
  readonly code: GatewayErrorCode
  readonly status: number

  constructor(code: GatewayErrorCode, message: string) {
    super(message)
    this.code = code
    this.status = STATUS_OF_CODE[code]
  }
}

/**
 * An expected failure of a command. Its message says in one line what was wrong and what to do. The exit code is 1, or 2
 * if the command was called in a wrong way.
 */
export class CommandError extends Error {
  override readonly name = "CommandError"
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The thing that a command names does not exist. */
export class NotFoundError extends CommandError {}

/** The thing exists already, or it belongs to something else, such as the configuration. */
export class ConflictError extends CommandError {}

/** Errors of the operating system that are not bugs, with what to do about them. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = createTable({
  ENOSPC: "the disk is full: free some space on it, or set storage.data_dir to a directory on another disk",
  EDQUOT: "the quota of the disk is used up: raise it, or set storage.data_dir to a directory on another disk",
  EROFS: "the file system is read-only: mount it writable, or set storage.data_dir to another directory",
  EACCES: "this user has no permission: correct the owner or the mode of the file, or run this as its owner",
  EMFILE: "too many files are open: raise the limit (ulimit -n, or LimitNOFILE of systemd)",
  ENFILE: "too many files are open on this machine: raise its limit (fs.file-max)",
})

/** Returns a CommandError that says what to do, if the operating system is at fault; else the error itself, a bug. */
export function explainSystemError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof CommandError) return error
  const { code, path } = error as { readonly code?: unknown; readonly path?: unknown }
  const explained = typeof code === "string" && Object.hasOwn(SYSTEM_ERRORS, code) ? SYSTEM_ERRORS[code] : undefined
  if (explained === undefined) return error
  return new CommandError(`${typeof path === "string" ? `${path}: ` : ""}${explained} (${code})`)
}
