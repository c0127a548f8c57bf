import { createHash, createHmac, type Hash, type Hmac } from "node:crypto"
import { GatewayError } from "../core/errors.ts"
import type { ProviderCredential, UnsignedRequest } from "../core/provider-credential.ts"

type AwsCredential = Extract<ProviderCredential, { readonly kind: "aws" }>

/**
 * Returns the headers of a request with its signature (AWS Signature Version 4). The signature covers the host, the type of
 * the body, the `x-amz-` headers, the address and all bytes of the body. Proxies may change the other headers.
 *
 * @param now milliseconds since the epoch
 * @throws GatewayError `no_provider_credential` if the region is not known
 */
export async function signForAws(
  { accessKeyId, secretAccessKey, sessionToken }: AwsCredential,
  { method, url, headers, region, body }: UnsignedRequest,
  now: number,
): Promise<string[]> {
  const { SignatureV4 } = await import("@smithy/signature-v4")
  const { protocol, host, hostname, pathname, searchParams } = new URL(url)
  const kept = headers.filter((_, index) => !REPLACED.has(headers[index - (index % 2)]!.toLowerCase()))
  const signer = new SignatureV4({
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
    region: regionOf(hostname) ?? region ?? rejectRegion(),
    // Mantle rejects signatures for `bedrock`.
    service: hostname.startsWith("bedrock-mantle.") ? "bedrock-mantle" : "bedrock",
    sha256: NodeSha256,
  })
  const signed = await signer.sign(
    {
      method,
      protocol,
      hostname: host,
      path: pathname,
      query: toQuery(searchParams),
      headers: { host, ...signedHeaders(kept), "x-amz-content-sha256": await hashOf(body) },
    },
    { signingDate: new Date(now) },
  )
  const added = Object.entries(signed.headers).filter(([name]) => REPLACED.has(name.toLowerCase()))
  return [...kept, ...added.flat()]
}

/** What the signature consists of. The client's own values do not fit to it. */
const REPLACED: ReadonlySet<string> = new Set([
  "authorization",
  "x-amz-date",
  "x-amz-content-sha256",
  "x-amz-security-token",
])

/** Returns the region in the name of one of AWS's hosts: `bedrock-runtime.eu-central-1.amazonaws.com` and its like. */
function regionOf(hostname: string): string | undefined {
  return /(?:^|\.)bedrock[a-z-]*\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$/.exec(hostname)?.[1]
}

function rejectRegion(): never {
  throw new GatewayError(
    "no_provider_credential",
    "The request cannot be signed for AWS, because its address names no region. Set the `region` of this provider in the settings of the gateway.",
  )
}

function signedHeaders(headers: readonly string[]): Record<string, string> {
  const signed: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    if (name !== "content-type" && !name.startsWith("x-amz-")) continue
    signed[name] = signed[name] === undefined ? headers[i + 1]! : `${signed[name]},${headers[i + 1]}`
  }
  return signed
}

function toQuery(parameters: URLSearchParams): Record<string, string[]> {
  return Object.fromEntries([...new Set(parameters.keys())].map((name) => [name, parameters.getAll(name)]))
}

/** Returns the SHA-256 of a body in hexadecimal digits. The bytes of a large body are read in pieces. */
async function hashOf({ pieces }: UnsignedRequest["body"]): Promise<string> {
  const hash = createHash("sha256")
  const bytes = pieces()
  if (Buffer.isBuffer(bytes)) hash.update(bytes)
  else for await (const piece of bytes) hash.update(piece)
  return hash.digest("hex")
}

/** SHA-256 in the form that the signer expects. */
class NodeSha256 {
  private readonly hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash("sha256") : createHmac("sha256", toBytes(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(toBytes(data))
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest()
  }
}

function toBytes(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === "string") return Buffer.from(data)
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)
}
