import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { type IncomingHttpHeaders, request as send } from "node:http"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import { DeleteObjectCommand, GetObjectCommand, S3Client } from "@aws-sdk/client-s3"
import pg from "pg"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, type Script, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { ACCESS_KEY, BUCKET, REGION, type S3Server, SECRET_KEY, startS3 } from "../support/s3.ts"

type Row = Readonly<Record<string, unknown>>

interface Answer {
  readonly id: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body as stored, compressed or not. */
  readonly body: Buffer
}

let fakeProvider: FakeProvider
let s3: S3Server

beforeAll(async () => {
  ;[fakeProvider, s3] = await Promise.all([startFakeProvider(), startS3()])
})
afterAll(async () => {
  await Promise.all([fakeProvider.close(), s3.close()])
})

afterEach(() => {
  s3.fault = undefined
})

function settings(more: Readonly<Record<string, string>>) {
  return {
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    ...more,
  }
}

function s3Settings() {
  return {
    MAJORDOMO_LOGGING_BODY_STORAGE: "s3",
    MAJORDOMO_S3_BUCKET: BUCKET,
    MAJORDOMO_S3_REGION: REGION,
    MAJORDOMO_S3_ENDPOINT: s3.endpoint,
    MAJORDOMO_S3_ACCESS_KEY_ID: ACCESS_KEY,
    MAJORDOMO_S3_SECRET_ACCESS_KEY: SECRET_KEY,
  }
}

/** Starts a gateway with a key that it has never printed. */
async function begin(installation: Installation): Promise<{ gateway: RunningGateway; key: string; keyId: string }> {
  const { key, id } = (await installation.runJson(["keys", "create", "--name", "Test"])) as { key: string; id: string }
  return { gateway: await installation.serve(), key, keyId: id }
}

function call(
  gateway: RunningGateway,
  key: string,
  given: {
    readonly path?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Buffer
    readonly script?: Script
    /** False opens a connection for this request, so that any worker can accept it. */
    readonly agent?: false
  } = {},
): Promise<Answer> {
  const { path = "/v1/chat/completions", headers = {}, body = CHAT, script, agent } = given
  return new Promise((resolve, reject) => {
    const sent = send(
      {
        port: gateway.port,
        method: "POST",
        path,
        agent,
        headers: {
          "Content-Type": "application/json",
          "X-Majordomo-Key": key,
          ...(script ? { "X-Fake-Provider": JSON.stringify(script) } : {}),
          ...headers,
        },
      },
      (answer) => {
        const pieces: Buffer[] = []
        answer.on("data", (piece: Buffer) => pieces.push(piece))
        answer.on("error", reject)
        answer.on("end", () => {
          const id = String(answer.headers["x-majordomo-request-id"])
          resolve({ id, status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(pieces) })
        })
      },
    )
    sent.on("error", reject)
    sent.end(body)
  })
}

// No serializer writes JSON like this, so the bytes survive only if nothing parses and prints them again.
const CHAT =
  '{"model": "gpt-4o-mini","seed":12345678901234567890, "messages":[{"role":"user","content":"h\\u00e9llo 👋"}]}'
const STREAM = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"stream it"}]}'
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0xff, 0xfe])

function client(): S3Client {
  return new S3Client({
    region: REGION,
    endpoint: s3.endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  })
}

async function findObject(id: string): Promise<{ key: string; text: string }> {
  await expect.poll(() => s3.puts.some(({ key }) => key.includes(id))).toBe(true)
  const { key, body } = s3.puts.find((put) => put.key.includes(id))!
  return { key, text: gunzipSync(body).toString("utf8") }
}

describe("bodies in S3, rows in PostgreSQL", () => {
  let installation: Installation
  let gateway: RunningGateway
  let key: string
  let keyId: string
  let db: pg.Client

  beforeAll(async () => {
    const { url } = await createTestDatabase()
    installation = createInstallation(settings({ ...s3Settings(), MAJORDOMO_STORAGE_POSTGRES_URL: url }), {
      inProcess: true,
    })
    ;({ gateway, key, keyId } = await begin(installation))
    db = new pg.Client({ connectionString: url })
    await db.connect()
  })
  afterAll(async () => {
    await db.end()
    await installation.remove()
  })

  async function rowOf(id: string): Promise<Row> {
    const find = async () =>
      (await db.query("SELECT * FROM llm_requests_full WHERE id = $1", [id])).rows[0] as Row | undefined
    await expect.poll(find).toBeDefined()
    return (await find())!
  }

  test("a complete response: the object has its documented name and contains both bodies byte for byte", async () => {
    const { id, body } = await call(gateway, key)
    const { s3_key } = await rowOf(id)
    expect(s3_key).toBe(`${keyId.slice(0, 16)}/${new Date().toISOString().slice(0, 10)}/${id}.json.gz`)
    const object = await findObject(id)
    expect(object.key).toBe(s3_key)
    expect(object.text).toContain(`"body":${CHAT}}`)
    expect(object.text).toContain(`"body":${body}}`)
    expect(JSON.parse(object.text)).toMatchObject({
      request_id: id,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      request: { method: "POST", path: "/v1/chat/completions", headers: { "Content-Type": "application/json" } },
      response: { status_code: 200 },
    })
  })

  test("the documented retrieval works: GetObject returns gzip-compressed JSON with matching headers", async () => {
    const { id } = await call(gateway, key)
    const { key: Key } = await findObject(id)
    const { Body, ContentType, ContentEncoding } = await client().send(new GetObjectCommand({ Bucket: BUCKET, Key }))
    expect([ContentType, ContentEncoding]).toEqual(["application/json", "gzip"])
    const text = gunzipSync(await Body!.transformToByteArray()).toString("utf8")
    expect(JSON.parse(text)).toMatchObject({ request_id: id, request: { body: { model: "gpt-4o-mini" } } })
  })

  test.each([
    ["a stream is stored as the text that the client got, without what the gateway asked for", STREAM, {}],
    ["a compressed stream is stored decompressed", STREAM.replace("4o-mini", "4o"), { encoding: "gzip" }],
    ["a stream in pieces of three bytes", STREAM.replace("it", "3"), { chunkBytes: 3 }],
  ] as const)("%s", async (_, body, script) => {
    const answer = await call(gateway, key, { body, script, headers: { "Accept-Encoding": "gzip" } })
    const visible = answer.headers["content-encoding"] === "gzip" ? gunzipSync(answer.body) : answer.body
    expect(visible.toString()).toContain("data: [DONE]")
    const { request, response } = JSON.parse((await findObject(answer.id)).text)
    expect(response.body).toBe(visible.toString())
    expect(request.body).toEqual(JSON.parse(body))
  })

  test("a compressed response and a compressed request are stored decompressed", async () => {
    const headers = { "Accept-Encoding": "br, gzip", "Content-Encoding": "gzip" }
    const sent = { body: gzipSync(CHAT), script: { encoding: "gzip", text: "whole" } as const, headers }
    const answer = await call(gateway, key, sent)
    expect(answer.headers["content-encoding"]).toBe("gzip")
    const { text } = await findObject(answer.id)
    expect(text).toContain(`"body":${gunzipSync(answer.body)}}`)
    expect(text).toContain(`"body":${CHAT}}`)
  })

  test("a body that is not text is stored as base64 and marked", async () => {
    const boundary = "xyz"
    const headers = { "Content-Type": `multipart/form-data; boundary=${boundary}` }
    const body = Buffer.concat([Buffer.from(`--${boundary}\r\n\r\n`), PNG, Buffer.from(`\r\n--${boundary}--\r\n`)])
    fakeProvider.next({ body: PNG, contentType: "image/png" })
    const answer = await call(gateway, key, { path: "/v1/images/edits", headers, body })
    expect(answer.body).toEqual(PNG)
    const { request, response } = JSON.parse((await findObject(answer.id)).text)
    expect(request).toMatchObject({ body: body.toString("base64"), body_encoding: "base64" })
    expect(response).toMatchObject({ body: PNG.toString("base64"), body_encoding: "base64" })
    await rowOf(answer.id)
    const { stdout } = await installation.run(["usage", "request", answer.id, "--body", "--response", "--json"])
    expect(JSON.parse(stdout)).toMatchObject({ response_body: expect.stringContaining(PNG.toString("base64")) })
  })

  test("X-Majordomo-Store-Bodies: false prevents storing the bodies of a request and is not metadata", async () => {
    const headers = { "X-Majordomo-Store-Bodies": "false", "X-Majordomo-Feature": "private" }
    const { id } = await call(gateway, key, { headers })
    expect(await rowOf(id)).toMatchObject({
      s3_key: null,
      request_body: null,
      response_body: null,
      raw_metadata: { Feature: "private" },
    })
    const { id: next } = await call(gateway, key)
    await findObject(next)
    expect(s3.puts.some((put) => put.key.includes(id))).toBe(false)
    const { stdout, stderr, code } = await installation.run(["usage", "request", id, "--body"])
    expect([code, stdout, stderr]).toEqual([0, "", "note: no body of this request is stored\n"])
  })

  test("usage request --body prints the original bytes; --request and --response print only that body", async () => {
    const { id, body } = await call(gateway, key)
    await Promise.all([findObject(id), rowOf(id)])
    const run = async (...more: string[]) => (await installation.run(["usage", "request", id, ...more])).stdout
    const [both, request, response, json] = await Promise.all([
      run("--body"),
      run("--body", "--request"),
      run("--response"),
      run("--body", "--json"),
    ])
    expect(both).toBe(`${CHAT}\n${body}\n`)
    expect(request).toBe(CHAT)
    expect(response).toBe(body.toString())
    expect(JSON.parse(json)).toMatchObject({
      id,
      request_body: CHAT,
      response_body: body.toString(),
      bodies_from: "s3",
      bodies_cut: [],
    })
  })

  test("usage export --bodies writes one line per request, oldest first, and reports and skips missing objects", async () => {
    const headers = { "X-Majordomo-Feature": "export" }
    const first = await call(gateway, key, { headers })
    const gone = await call(gateway, key, { headers })
    const last = await call(gateway, key, { headers, body: STREAM })
    for (const { id } of [first, gone, last]) await Promise.all([findObject(id), rowOf(id)])
    const { key: Key } = await findObject(gone.id)
    await client().send(new DeleteObjectCommand({ Bucket: BUCKET, Key }))
    const { stdout, stderr, code } = await installation.run([
      "usage",
      "export",
      "--bodies",
      "--where",
      "Feature=export",
    ])
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split("\n")
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { id: first.id, model: "gpt-4o-mini", status_code: 200, request: { model: "gpt-4o-mini" } },
      { id: last.id, request: JSON.parse(STREAM), response: last.body.toString() },
    ])
    expect(lines[0]).toContain(CHAT)
    expect(stderr).toContain(`left out: the bodies of ${gone.id} are not in S3`)
    expect(stderr).toContain("2 requests exported; 1 left out")
    const one = await installation.run(["usage", "request", gone.id, "--body"])
    // [O12] One sentence, which does not call the body of a missing object not stored.
    expect([one.code, one.stderr]).toEqual([
      0,
      expect.stringMatching(/^note: the bodies of \S+ are not in S3: [^\n]+\n$/),
    ])
    const asJson = await installation.runJson(["usage", "request", gone.id, "--body"])
    expect(asJson).toMatchObject({ request_body: null, response_body: null, bodies_from: "unreadable" })
    const explained = await installation.run(["usage", "request", gone.id, "--body", "--explain"])
    expect(explained.stdout).toContain("Request body: cannot be read\n\nResponse body: cannot be read")
  })

  test("no credential appears in an object, row, log line, error or file, wherever the client put it", async () => {
    const canaries: string[] = []
    const canary = (prefix = "") => {
      const text = `${prefix}canary${canaries.length}x${"4f9Zq7Lw2T".repeat(2)}`
      canaries.push(text)
      return text
    }
    const everywhere = () => ({
      Authorization: `Bearer ${canary("sk-")}`,
      "x-api-key": canary("sk-ant-"),
      "x-goog-api-key": canary("AIza"),
      Cookie: `session=${canary()}`,
      "Proxy-Authorization": `Basic ${canary()}`,
      "X-Custom-Token": canary(),
      "api-key": canary(),
    })
    const gemini = (query: string) => `/v1beta/models/gemini-2.5-flash:generateContent?${query}`
    const contents = '{"contents":[{"parts":[{"text":"hi"}]}]}'
    const calls: (readonly [string, string, Script])[] = [
      ["/v1/chat/completions", CHAT, { headers: ["Set-Cookie", `a=${canary()}`] }],
      ["/v1/messages", '{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[]}', {}],
      [gemini(`key=${canary()}&alt=json`), contents, {}],
      [gemini(`alt=sse&%6Bey=${canary()}`), contents, {}],
      ["/v1/chat/completions", STREAM, { breakAfterPieces: 1 }],
    ]
    const answers: Answer[] = []
    for (const [path, body, script] of calls) {
      // The script is set at the fake provider, because a header of the request would be stored.
      fakeProvider.next(script)
      const answer = await call(gateway, key, { path, body, headers: everywhere() }).catch(() => undefined)
      if (answer) answers.push(answer)
    }
    // One provider quotes the credential that it rejects, and one does not exist.
    const quoted = canary("sk-")
    fakeProvider.next({ status: 401, body: `{"error":{"message":"Incorrect API key provided: ${quoted}"}}` })
    answers.push(await call(gateway, key, { headers: { Authorization: `Bearer ${quoted}` } }))
    for (const { id } of answers) await Promise.all([findObject(id), rowOf(id)])
    const refused = await call(gateway, `mdm_sk_${canary()}`)
    expect([answers.length, refused.status]).toEqual([5, 401])
    canaries.push(key)

    const { rows } = await db.query("SELECT row_to_json(r)::text AS text FROM llm_requests r")
    const places: Record<string, string> = {
      objects: s3.puts.map(({ key: name, body }) => name + gunzipSync(body).toString("latin1")).join("\n"),
      rows: rows.map(({ text }) => text).join("\n"),
      log: gateway.stdout + gateway.stderr,
      files: listFiles(installation.home)
        .map((file) => readFileSync(file, "latin1"))
        .join("\n"),
    }
    const found = canaries.flatMap((secret) =>
      Object.keys(places).flatMap((place) => (places[place]!.includes(secret) ? [`${secret} in ${place}`] : [])),
    )
    expect(found).toEqual([])
    expect(places["objects"]).toContain("/v1beta/models/gemini-2.5-flash:generateContent?alt=json")
  })

  test("while S3 denies access, requests continue and one message says so; afterwards all waiting bodies are uploaded", async () => {
    const before = gateway.stderr.length
    s3.fault = { status: 403, code: "AccessDenied" }
    const answers = await Promise.all(Array.from({ length: 50 }, () => call(gateway, key)))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    await expect.poll(() => gateway.stderr.slice(before)).toContain("may not put objects")
    const metrics = async () => (await fetch(`${gateway.origin}/metrics`)).text()
    await expect.poll(metrics).toMatch(/^majordomo_bodies_in_trouble 1$/m)
    expect(Number(/^majordomo_bodies_waiting (\d+)$/m.exec(await metrics())?.[1])).toBeGreaterThan(0)
    s3.fault = undefined
    for (const { id } of answers) await findObject(id)
    await expect.poll(() => gateway.stderr.slice(before)).toContain("stored again")
    expect(gateway.stderr.slice(before).split("may not put objects")).toHaveLength(2)
  })

  test("bodies that wait while S3 is down survive kill -9, and the next start uploads them", async () => {
    await s3.down()
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(gateway, key)))
    await gateway.stop("SIGKILL")
    gateway = await installation.serve()
    const later = await call(gateway, key)
    await s3.up()
    for (const { id } of [...answers, later]) {
      const { key: name } = await findObject(id)
      expect(await rowOf(id)).toHaveProperty("s3_key", name)
    }
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(stderr).toMatch(/bodies: (\d+) kept = \1 uploaded \+ 0 waiting \+ 0 lost; 0 dropped/)
  })

  test("a later process uploads the waiting bodies of three workers", async () => {
    gateway = await installation.serve()
    const later = await call(gateway, key)
    expect(await rowOf(later.id)).toHaveProperty("s3_key", expect.any(String))
    await gateway.stop()
    await s3.down()
    gateway = await installation.serve({
      settings: { MAJORDOMO_SERVER_WORKERS: "3", MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "1s" },
    })
    const root = join(installation.home, ".majordomo", "bodies")
    const left = () =>
      readdirSync(root).filter((place) => readdirSync(join(root, place)).some((file) => file !== "lock"))
    const answers: Answer[] = []
    // The workers become ready one after the other.
    while (left().length < 2) {
      const calls = Array.from({ length: 10 }, () => call(gateway, key, { agent: false }))
      answers.push(...(await Promise.all(calls)))
    }
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    await gateway.stop()
    // One worker was killed while it wrote a body, so its row names an object that will never exist.
    const torn = later.id
    mkdirSync(join(root, "9"))
    writeFileSync(join(root, "9", `000000000001.${torn}.part`), "{")
    await s3.up()
    gateway = await installation.serve()
    for (const { id } of answers) await findObject(id)
    await expect.poll(() => rowOf(torn)).toMatchObject({ s3_key: null })
    const waiting = async () =>
      /^majordomo_bodies_waiting (\d+)$/m.exec(await (await fetch(`${gateway.origin}/metrics`)).text())?.[1]
    await expect.poll(waiting).toBe("0")
    expect((await gateway.stop()).code).toBe(0)
    expect(left()).toEqual([])
  })
})

describe("rows in the embedded database", () => {
  test("are stored in their rows, truncated as configured, and are printed and exported together with those in S3", async () => {
    const installation = createInstallation(
      settings({ MAJORDOMO_LOGGING_BODY_STORAGE: "postgres", MAJORDOMO_LOGGING_MAX_BODY_SIZE: "1000" }),
      { inProcess: true },
    )
    try {
      const { gateway, key } = await begin(installation)
      const small = await call(gateway, key)
      const large = await call(gateway, key, { script: { textBytes: 5000 } })
      await call(gateway, key, { headers: { "X-Majordomo-Store-Bodies": "false" } })
      const bodies = async (id: string) => {
        let stdout = ""
        const look = async () => {
          const ran = await installation.run(["usage", "request", id, "--body", "--json"])
          stdout = ran.stdout
          return ran.code
        }
        await expect.poll(look).toBe(0)
        return JSON.parse(stdout)
      }
      expect(await bodies(small.id)).toMatchObject({
        request_body: CHAT,
        response_body: small.body.toString(),
        bodies_from: "postgres",
      })
      const { response_body, bodies_cut } = await bodies(large.id)
      expect(bodies_cut).toEqual(["response"])
      expect(response_body).toMatch(/\[cut: \d+ of \d+ bytes\]$/)
      expect(Buffer.byteLength(response_body)).toBeLessThanOrEqual(1000)
      await gateway.stop()

      // From here on, bodies are stored in S3 and redacted.
      const redact = { MAJORDOMO_LOGGING_REDACT: "$..ssn, header:X-Team" }
      const second = await installation.serve({ settings: { ...s3Settings(), ...redact } })
      const body = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x","ssn":"123-45-6789"}]}'
      fakeProvider.reset()
      const redacted = await call(second, key, { body, headers: { "X-Team": "blue-team-9" } })
      expect((await fakeProvider.nextRequest()).body.toString()).toBe(body)
      const { text } = await findObject(redacted.id)
      expect(text).toContain(body.replace("123-45-6789", "[redacted]"))
      expect(text).not.toMatch(/123-45-6789|blue-team-9/)
      await second.stop()

      const { stdout, stderr } = await installation.run(["usage", "export", "--bodies"], s3Settings())
      expect(
        stdout
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line)),
      ).toMatchObject([
        { id: small.id, response: JSON.parse(small.body.toString()) },
        { id: large.id, truncated: ["response"] },
        { id: redacted.id, request: { messages: [{ ssn: "[redacted]" }] } },
      ])
      expect(stderr).toContain("3 requests exported")
    } finally {
      await installation.remove()
    }
  })
})

test("an invalid setting is rejected at start with its name", async () => {
  const { url } = await createTestDatabase()
  const installation = createInstallation(settings({ MAJORDOMO_STORAGE_POSTGRES_URL: url }))
  try {
    const refusal = async (more: Readonly<Record<string, string>>) => {
      const { code, stderr } = await installation.run(["serve", "--port", "0"], more)
      return `${code}: ${JSON.parse(stderr.trimEnd().split("\n").at(-1)!).message}`
    }
    expect(await refusal({ MAJORDOMO_S3_ENABLED: "true" })).toMatch(/^1: s3.bucket: /)
    expect(await refusal({ MAJORDOMO_LOGGING_REDACT: "messages" })).toMatch(/^1: logging.redact: expected a JSON path/)
  } finally {
    await installation.remove()
  }
})

function listFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((file) => statSync(file).isFile())
}
