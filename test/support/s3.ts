import { createHash, createHmac } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http"
import { createRequire } from "node:module"
import type { AddressInfo, Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const ACCESS_KEY = "AKIATESTTESTTESTTEST"
export const SECRET_KEY = "secret/for+tests/only"
export const REGION = "eu-central-1"
export const BUCKET = "bodies"

/** The response of S3 instead of the normal one. `blackhole` sends nothing, and `slow` sends the normal one later. */
export type Fault =
  | { readonly status: number; readonly code: string }
  | { readonly garbage: string }
  | { readonly blackhole: true }
  | { readonly slowMs: number }

export interface S3Server {
  readonly endpoint: string
  /** The accepted puts by key, each as often as it arrived. */
  readonly puts: readonly {
    readonly key: string
    readonly headers: IncomingMessage["headers"]
    readonly body: Buffer
  }[]
  /** The keys of uploads in parts that were begun and neither completed nor aborted, by their ids. */
  readonly uploads: ReadonlyMap<string, string>
  /** The number of requests that arrived, whatever the response. */
  readonly requests: number
  fault: Fault | ((key: string) => Fault | undefined) | undefined
  /** How far the server's clock is ahead. */
  clockAheadMs: number
  /** Settles when `count` different keys have been put. */
  waitForKeys(count: number): Promise<void>
  /** Rejects connections until `up`. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

interface S3rver {
  run(): Promise<AddressInfo>
  close(): Promise<void>
}
type S3rverClass = new (options: object) => S3rver

/**
 * Starts an S3 over HTTP: s3rver behind a proxy for what s3rver leaves out. The proxy checks each signature (AWS Signature
 * Version 4, https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), the region, the clock and the
 * digest of the body, and fails as the test says.
 */
export async function startS3({ region = REGION } = {}): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), "majordomo-s3-"))
  const S3rverServer = createRequire(import.meta.url)("s3rver") as S3rverClass
  const store = new S3rverServer({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: BUCKET }],
  })
  const { port: storePort } = await store.run()
  const puts: { key: string; headers: IncomingMessage["headers"]; body: Buffer }[] = []
  const uploads = new Map<string, string>()
  const keys = new Set<string>()
  const sockets = new Set<Socket>()
  const waiting: { count: number; resolve(): void }[] = []
  let requests = 0
  let port = 0

  const door = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on("data", (piece: Buffer) => pieces.push(piece))
    request.on("end", () => {
      requests++
      answer(request, response, Buffer.concat(pieces))
    })
    request.on("error", () => {})
  })
  door.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })

  function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
    const key = decodeURIComponent(request.url!.split("?")[0]!.slice(`/${BUCKET}/`.length))
    const fault = typeof server.fault === "function" ? server.fault(key) : server.fault
    const wrong = findWrong(request, body, { now: Date.now() + server.clockAheadMs, region })
    if (wrong !== undefined) refuse(response, wrong)
    else if (fault === undefined && answersUploads(request, response)) return
    else if (fault === undefined) pass(request, response, key, body)
    else if ("status" in fault) refuse(response, fault)
    else if ("garbage" in fault) response.writeHead(500).end(fault.garbage)
    else if ("slowMs" in fault) setTimeout(() => pass(request, response, key, body), fault.slowMs)
  }

  /** Lists and aborts uploads, which s3rver cannot: at most two in one answer. Returns whether the request asked for that. */
  function answersUploads({ method, url }: IncomingMessage, response: ServerResponse): boolean {
    const query = new URL(url!, "http://127.0.0.1").searchParams
    const id = query.get("uploadId")
    if (method === "DELETE" && id !== null) {
      response.writeHead(uploads.delete(id) ? 204 : 404).end()
      return true
    }
    if (method !== "GET" || !query.has("uploads")) return false
    const after = query.get("upload-id-marker") ?? ""
    const prefix = query.get("prefix") ?? ""
    const all = [...uploads].sort(([a], [b]) => (a < b ? -1 : 1))
    const found = all.filter(([id, key]) => key.startsWith(prefix) && id > after)
    const items = found.slice(0, 2).map(([id, key]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`)
    const [id2, key2] = found[1] ?? []
    const next = `<NextKeyMarker>${key2}</NextKeyMarker><NextUploadIdMarker>${id2}</NextUploadIdMarker>`
    const more = `<IsTruncated>${found.length > 2}</IsTruncated>${found.length > 2 ? next : ""}`
    response
      .writeHead(200, { "Content-Type": "application/xml" })
      .end(`<?xml version="1.0"?><ListMultipartUploadsResult>${more}${items.join("")}</ListMultipartUploadsResult>`)
    return true
  }

  /** A POST begins an upload in parts, or completes it. */
  function noteUpload(url: string, key: string, reply: IncomingMessage): void {
    const id = new URL(url, "http://127.0.0.1").searchParams.get("uploadId")
    if (id !== null) uploads.delete(id)
    else
      reply.on("data", (xml: Buffer) => {
        const begun = /<UploadId>([^<]+)/.exec(xml.toString())?.[1]
        if (begun !== undefined) uploads.set(begun, key)
      })
  }

  function pass(request: IncomingMessage, response: ServerResponse, key: string, body: Buffer): void {
    const { authorization: _, "x-amz-content-sha256": __, ...headers } = request.headers
    const onward = send({ port: storePort, method: request.method, path: request.url, headers }, (reply) => {
      response.writeHead(reply.statusCode!, reply.headers)
      if (request.method === "POST") noteUpload(request.url!, key, reply)
      reply.pipe(response)
      if (request.method !== "PUT" || reply.statusCode !== 200) return
      puts.push({ key, headers: request.headers, body })
      keys.add(key)
      for (const waiter of waiting) if (keys.size >= waiter.count) waiter.resolve()
    })
    onward.on("error", () => response.destroy())
    onward.end(body)
  }

  const server: S3Server = {
    get endpoint() {
      return `http://127.0.0.1:${port}`
    },
    puts,
    uploads,
    get requests() {
      return requests
    },
    fault: undefined,
    clockAheadMs: 0,
    waitForKeys: (count) =>
      keys.size >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    async down() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => door.close(resolve))
    },
    async up() {
      await new Promise<void>((resolve) => door.listen(port, "127.0.0.1", resolve))
      port = (door.address() as AddressInfo).port
    },
    async close() {
      await server.down()
      await store.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
  await server.up()
  return server
}

function refuse(response: ServerResponse, { status, code }: { readonly status: number; readonly code: string }): void {
  response
    .writeHead(status, { "Content-Type": "application/xml" })
    .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message><RequestId>1</RequestId></Error>`)
}

const MAX_SKEW_MS = 15 * 60 * 1000

/** Returns why S3 would reject a request. */
function findWrong(
  { method, url, headers }: IncomingMessage,
  body: Buffer,
  here: { readonly now: number; readonly region: string },
): { readonly status: number; readonly code: string } | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? "",
    )
  if (match === null) return { status: 403, code: "AccessDenied" }
  const [, accessKey, day, region, signedNames, signature] = match
  if (accessKey !== ACCESS_KEY) return { status: 403, code: "InvalidAccessKeyId" }
  if (region !== here.region) return { status: 400, code: "AuthorizationHeaderMalformed" }
  const time = String(headers["x-amz-date"])
  const at = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"))
  if (!(Math.abs(here.now - at) <= MAX_SKEW_MS)) return { status: 403, code: "RequestTimeTooSkewed" }
  const digest = headers["x-amz-content-sha256"]
  if (digest !== sha256(body)) return { status: 400, code: "XAmzContentSHA256Mismatch" }
  const [path, query = ""] = url!.split("?")
  const canonical = [
    method,
    path,
    query
      .split("&")
      .filter(Boolean)
      .map((pair) => (pair.includes("=") ? pair : `${pair}=`))
      .sort()
      .join("&"),
    ...signedNames!.split(";").map((name) => `${name}:${String(headers[name]).trim()}`),
    "",
    signedNames,
    digest,
  ].join("\n")
  const scope = `${day}/${region}/s3/aws4_request`
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")
  const key = [day!, region!, "s3", "aws4_request"].reduce<Buffer | string>(
    (secret, part) => createHmac("sha256", secret).update(part).digest(),
    `AWS4${SECRET_KEY}`,
  )
  const expected = createHmac("sha256", key).update(text).digest("hex")
  return expected === signature ? undefined : { status: 403, code: "SignatureDoesNotMatch" }
}

function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex")
}
