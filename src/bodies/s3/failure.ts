import { createTable } from "../../core/table.ts"
import { ProxyError } from "../../kit/proxy/tunnel.ts"

/** A failure of S3, described for the person who fixes it. It never contains an address, a key or a body. */
export interface Failure {
  /** One line is logged per kind. */
  readonly kind: string
  readonly text: string
  /** It lasts until somebody fixes it, so retries are slow. */
  readonly isLasting: boolean
  /** The cause may be this one object. */
  readonly isOfObject: boolean
}

const LASTING: readonly (readonly [names: RegExp, text: string])[] = [
  [/^NoSuchBucket$/, "the bucket does not exist: create it, or correct s3.bucket"],
  [/^InvalidBucketName$/, "s3.bucket is not a valid name of a bucket"],
  [
    /^(?:PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException)$/,
    "the bucket is in another region: correct s3.region",
  ],
  [/^(?:RequestTimeTooSkewed|RequestExpired)$/, "this machine's clock differs too much from that of S3: set it"],
  [/^InvalidAccessKeyId$/, "S3 rejects the access key as unknown: correct s3.access_key_id"],
  [/^SignatureDoesNotMatch$/, "S3 does not accept the signature: correct s3.secret_access_key"],
  [/^(?:ExpiredToken|InvalidToken|TokenRefreshRequired)/, "the credentials have expired"],
  [/^AnswerTooLarge$/, "what answers is no S3, because its answers are too large: correct s3.endpoint"],
  [/^CredentialsProviderError$/, "no AWS credentials were found: set s3.access_key_id and s3.secret_access_key"],
]

const DENIED = {
  put: "these credentials may not put objects (s3:PutObject)",
  // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, Permissions
  get: "these credentials may not get objects (s3:GetObject), or the object does not exist and they may not see that (s3:ListBucket)",
  remove: "these credentials may not delete objects (s3:DeleteObject)",
} as const

const NETWORK: Readonly<Record<string, string>> = createTable({
  ECONNREFUSED: "S3 refuses connections",
  ENOTFOUND: "the name of S3's host could not be resolved",
  EAI_AGAIN: "the name of S3's host could not be resolved",
  ETIMEDOUT: "S3 did not accept a connection in time",
  EHOSTUNREACH: "there is no route to S3's host",
  ECONNRESET: "the connection to S3 broke",
  EPIPE: "the connection to S3 broke",
})

export function toFailure(error: unknown, doing: keyof typeof DENIED = "put"): Failure {
  const {
    name = "",
    code,
    $metadata,
  } = (error ?? {}) as {
    name?: string
    code?: unknown
    $metadata?: { httpStatusCode?: number }
  }
  if (error instanceof ProxyError) return transient("proxy", `S3 could not be reached (${error.message})`)
  const status = $metadata?.httpStatusCode
  for (const [names, text] of LASTING) {
    if (names.test(name)) return lasting(name, text)
  }
  if (/^(?:AccessDenied|AllAccessDisabled|AccountProblem)$/.test(name)) return lasting(name, DENIED[doing])
  if (typeof code === "string" && NETWORK[code] !== undefined) return transient(code, NETWORK[code])
  if (name === "TimeoutError" || name === "AbortError") return transient("timeout", "S3 did not answer in time")
  if (status === 301) return lasting("PermanentRedirect", "the bucket is in another region: correct s3.region")
  if (status === 403) return lasting("AccessDenied", "S3 denies access (403)")
  if (status === 404)
    return lasting("NoSuchBucket", "the bucket does not exist (404): correct s3.bucket or s3.endpoint")
  if (status === 429 || status === 503) return transient("SlowDown", "S3 asks for fewer requests")
  if (status !== undefined && status >= 400 && status < 500) {
    return { ...lasting(String(status), `S3 rejects it with ${safe(name)} (${status})`), isOfObject: true }
  }
  if (status !== undefined) return transient(String(status), `S3 answers ${status}`)
  return transient(safe(name), `S3 could not be reached (${safe(typeof code === "string" ? code : name)})`)
}

function transient(kind: string, text: string): Failure {
  return { kind, text, isLasting: false, isOfObject: false }
}

function lasting(kind: string, text: string): Failure {
  return { kind, text, isLasting: true, isOfObject: false }
}

function safe(name: string): string {
  return /^\w{1,60}$/.test(name) ? name : "an unknown error"
}
