import { createHash, createHmac } from "node:crypto"

/** A request as AWS receives it. */
export interface SignedRequest {
  readonly method: string
  /** The path and the query, as they stand in the request line. */
  readonly target: string
  /** By names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest("hex")
const hmac = (key: string | Buffer, data: string) => createHmac("sha256", key).update(data).digest()
const uriEncode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Computes the signature as AWS does from what it receives, by the steps of its documentation and without its code
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 */
export function signatureAtAws({ method, target, headers, body }: SignedRequest, secret: string): string {
  const [, scope, names] = /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+)/.exec(headers.get("authorization")!)!
  const [day, region, service] = scope!.split("/")
  const [path, query = ""] = target.split("?")
  const parameters = query === "" ? [] : query.split("&").map((each) => each.split("=").map(decodeURIComponent))
  const canonicalQuery = parameters
    .map(([name, value = ""]) => `${uriEncode(name!)}=${uriEncode(value)}`)
    .sort()
    .join("&")
  const lines = names!.split(";").map((name) => `${name}:${headers.get(name)!.trim().replace(/ +/g, " ")}\n`)
  const canonicalPath = path!.split("/").map(uriEncode).join("/")
  const canonical = [method, canonicalPath, canonicalQuery, lines.join(""), names, sha256(body)].join("\n")
  const text = ["AWS4-HMAC-SHA256", headers.get("x-amz-date"), scope, sha256(canonical)].join("\n")
  const dayKey = hmac(`AWS4${secret}`, day!)
  const key = hmac(hmac(hmac(dayKey, region!), service!), "aws4_request")
  return createHmac("sha256", key).update(text).digest("hex")
}
