import { execFile } from "node:child_process"
import { generateKeyPairSync, verify } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { promisify } from "node:util"
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk"
import Anthropic from "@anthropic-ai/sdk"
import { AnthropicVertex } from "@anthropic-ai/vertex-sdk"
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  ConverseCommand,
  ConverseStreamCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime"
import { GoogleGenAI } from "@google/genai"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { OAuth2Client } from "google-auth-library"
import OpenAI, { AzureOpenAI } from "openai"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { keys } from "../../src/api/routes/keys.ts"
import { providerKeys } from "../../src/api/routes/provider-keys.ts"
import type { LogRecord } from "../../src/core/log-record.ts"
import { initVault } from "../../src/operations/vault/init.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { startServer } from "../../src/server/start.ts"
import { signatureAtAws } from "../support/aws-signature.ts"
import { findCloudAnswer } from "../support/cloud-answers.ts"
import { createTestDatabase } from "../support/postgres.ts"

const SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
const ACCESS_KEY = `AKIAIOSFODNN7EXAMPLE\n${SECRET_KEY}`
const BEDROCK_KEY = "ABSKQmVkcm9ja0FQSUtleS0123456789abcdefghijklmnop"
const VERTEX_KEY = "AIzaVault0123456789012345678901234567"
const AZURE_KEY = "0123456789abcdef0123456789abcdef"
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
/** boto3 is tested where this Python has it. */
const PYTHON = process.env["DOCS_PYTHON"]

const clouds: Server[] = []
/** The requests that the clouds got: the path, and which credential was right. */
let received: { readonly path: string; readonly credential: string }[] = []
let tokens = 0
let dir: string
let gateway: Awaited<ReturnType<typeof startServer>>
let origin: string
/** The first key uses the defaults: an access key, a service account. The other one is bound to API keys. */
let key: string
let bound: string
let onRecord: (record: LogRecord) => void = () => {}

/** Returns the name of the credential of a request, as its cloud finds it; otherwise what it got. */
function findCredential(request: IncomingMessage, body: Buffer): string {
  const { headers, method = "", url = "" } = request
  const { authorization = "" } = headers
  if (authorization.startsWith("AWS4-")) {
    const signed = { method, target: url, headers: new Map(Object.entries(headers) as [string, string][]), body }
    const isRight = authorization.endsWith(`Signature=${signatureAtAws(signed, SECRET_KEY)}`)
    const scope = /Credential=AKIAIOSFODNN7EXAMPLE\/\d{8}\/([^,]+),/.exec(authorization)?.[1]
    return isRight ? `signed ${scope}` : `wrong signature: ${authorization}`
  }
  const sent = [
    authorization,
    ...["api-key", "x-api-key", "x-goog-api-key"].map((name) => headers[name] && `${name}: ${headers[name]}`),
  ]
  return sent.filter((each) => each).join()
}

async function startCloud(): Promise<string> {
  const cloud = createServer(async (request, response) => {
    const body = await buffer(request)
    const { url = "", rawHeaders } = request
    const path = url.split("?", 1)[0]!
    if (`${url} ${rawHeaders.join(" ")}`.includes("mdm_sk_")) received.push({ path, credential: "A GATEWAY KEY" })
    received.push({ path, credential: findCredential(request, body) })
    const { status, type, body: answer } = findCloudAnswer(path)
    response.writeHead(status, { "content-type": type }).end(answer)
  })
  return listen(cloud)
}

async function listen(server: Server): Promise<string> {
  clouds.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Google's token endpoint, which checks the signature of the account. */
function startTokens(): Promise<string> {
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams((await buffer(request)).toString())
    const [head, claims, signature = ""] = form.get("assertion")!.split(".")
    const bytes = Buffer.from(`${head}.${claims}`)
    const isRight = verify("RSA-SHA256", bytes, publicKey, Buffer.from(signature, "base64url"))
    tokens++
    response.writeHead(isRight ? 200 : 401).end(JSON.stringify({ access_token: "ya29.of-account", expires_in: 3600 }))
  })
  return listen(server)
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "mdm-clouds-"))
  const { settings } = await loadSettings({
    cwd: dir,
    env: {
      DATABASE_URL: (await createTestDatabase()).url,
      MAJORDOMO_STORAGE_DATA_DIR: dir,
      MAJORDOMO_SERVER_PORT: "0",
      MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_SERVER_MODELS: "own",
      MAJORDOMO_PROVIDERS_AZURE_BASE_URL: await startCloud(),
      MAJORDOMO_PROVIDERS_VERTEX_BASE_URL: await startCloud(),
      MAJORDOMO_PROVIDERS_BEDROCK_BASE_URL: await startCloud(),
      MAJORDOMO_PROVIDERS_BEDROCK_REGION: "eu-central-1",
    },
  })
  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  const caller = { settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
  initVault(caller)
  gateway = await startServer({ settings, log: () => {}, onRecord: (record) => onRecord(record) })
  origin = `http://127.0.0.1:${gateway.port}`
  const account = {
    type: "service_account",
    client_email: "gateway@example-project.iam.gserviceaccount.com",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    token_uri: `${await startTokens()}/token`,
  }
  for (const [provider, alias, kind, secret] of [
    ["bedrock", "account", "aws", ACCESS_KEY],
    ["bedrock", "api-key", "key", BEDROCK_KEY],
    ["vertex", "account", "google", JSON.stringify(account)],
    ["vertex", "api-key", "key", VERTEX_KEY],
    ["azure", "account", "key", AZURE_KEY],
  ]) {
    await callLocally(providerKeys.add, caller, { provider, alias, kind, secret, default: alias === "account" })
  }
  key = (await callLocally(keys.create, caller, { name: "app" })).key
  const bindings = ["bedrock:api-key", "vertex:api-key"]
  bound = (await callLocally(keys.create, caller, { name: "bound", provider_keys: bindings })).key
})
beforeEach(() => {
  received = []
})
afterAll(async () => {
  await gateway?.stop()
  for (const cloud of clouds) {
    cloud.closeAllConnections()
    await new Promise((resolve) => cloud.close(resolve))
  }
  rmSync(dir, { recursive: true, force: true })
})

const messages = [{ role: "user" as const, content: "Hello" }]
const claude = { max_tokens: 64, messages }
const SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
const HAIKU = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"
const CONVERSE = { modelId: SONNET, messages: [{ role: "user" as const, content: [{ text: "Hello" }] }] }

/** Makes a call with AWS's own client, whose SDK needs a handler to speak HTTP/1. */
async function withAws(config: BedrockRuntimeClientConfig, call: (client: BedrockRuntimeClient) => Promise<unknown>) {
  const requestHandler = new NodeHttpHandler()
  const client = new BedrockRuntimeClient({ endpoint: origin, region: "us-east-1", requestHandler, ...config })
  await call(client)
  client.destroy()
}
const accessKey = () => ({ credentials: { accessKeyId: key, secretAccessKey: "anything" } })

async function readAll(events: AsyncIterable<unknown> | undefined) {
  let count = 0
  for await (const _ of events ?? []) count++
  expect(count).toBe(4)
}

const vertexClient = (accessToken: string) =>
  new AnthropicVertex({
    projectId: "p",
    region: "europe-west1",
    authClient: new OAuth2Client({ credentials: { access_token: accessToken } }),
    baseURL: `${origin}/v1`,
  })
const VERTEX_PATH = "/v1/projects/p/locations/europe-west1"
const CLAUDE_PATH = `${VERTEX_PATH}/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict`
const GEMINI_PATH = "/v1beta1/publishers/google/models/gemini-2.5-flash:generateContent"
const SIGNED = "signed eu-central-1/bedrock/aws4_request"
const MINTED = "Bearer ya29.of-account"

/** In the rows: the model, all input, the cost, and the alias of the credential. */
type Row = readonly [model: string, input: number, cost: string, alias: string]
interface Case {
  call(): Promise<unknown>
  readonly credential: string
  readonly path: string
  readonly provider: string
  readonly row: Row
}

// (3 * 3.3 + 2074 * 0.33 + 297 * 4.125 + 61 * 16.5) / 1e6
const converseRow: Row = [SONNET, 2374, "0.002925945", "account"]
// (484 * 1.1 + 36 * 5.5) / 1e6
const haikuRow: Row = [HAIKU, 484, "0.0007304", "account"]
// (484 * 3 + 36 * 15) / 1e6 * 1.1
const sonnetRow: Row = ["claude-sonnet-4-5-20250929", 484, "0.0021912", "account"]
// (11 * 0.3 + 9602 * 0.03 + 33 * 2.5) / 1e6
const geminiRow: Row = ["gemini-2.5-flash", 9613, "0.00037386", "account"]
const withAlias = ([model, input, cost]: Row, alias: string): Row => [model, input, cost, alias]

const CASES: Readonly<Record<string, Case>> = {
  "BedrockRuntimeClient, Converse": {
    call: () => withAws(accessKey(), (client) => client.send(new ConverseCommand(CONVERSE))),
    credential: SIGNED,
    path: `/model/${encodeURIComponent(SONNET)}/converse`,
    provider: "bedrock",
    row: converseRow,
  },
  "BedrockRuntimeClient, ConverseStream": {
    call: () =>
      withAws(accessKey(), async (client) => readAll((await client.send(new ConverseStreamCommand(CONVERSE))).stream)),
    credential: SIGNED,
    path: `/model/${encodeURIComponent(SONNET)}/converse-stream`,
    provider: "bedrock",
    row: converseRow,
  },
  "BedrockRuntimeClient with a bearer token, InvokeModelWithResponseStream": {
    call: () =>
      withAws({ token: { token: bound }, authSchemePreference: ["httpBearerAuth"] }, async (client) => {
        const body = JSON.stringify({ anthropic_version: "bedrock-2023-05-31", ...claude })
        const command = new InvokeModelWithResponseStreamCommand({ modelId: HAIKU, body })
        await readAll((await client.send(command)).body)
      }),
    credential: `Bearer ${BEDROCK_KEY}`,
    path: `/model/${encodeURIComponent(HAIKU)}/invoke-with-response-stream`,
    provider: "bedrock",
    row: withAlias(haikuRow, "api-key"),
  },
  "AnthropicBedrock with an access key": {
    call: () =>
      new AnthropicBedrock({
        awsAccessKey: key,
        awsSecretKey: "anything",
        awsRegion: "us-east-1",
        baseURL: origin,
      }).messages.create({ model: HAIKU, ...claude }),
    credential: SIGNED,
    path: `/model/${HAIKU}/invoke`,
    provider: "bedrock",
    row: haikuRow,
  },
  "AnthropicBedrock with an API key": {
    call: () =>
      new AnthropicBedrock({ apiKey: bound, awsRegion: "us-east-1", baseURL: origin }).messages.create({
        model: HAIKU,
        ...claude,
      }),
    credential: `Bearer ${BEDROCK_KEY}`,
    path: `/model/${HAIKU}/invoke`,
    provider: "bedrock",
    row: withAlias(haikuRow, "api-key"),
  },
  "OpenAI at Bedrock": {
    call: () =>
      new OpenAI({ apiKey: key, baseURL: `${origin}/bedrock/openai/v1` }).chat.completions.create({
        model: "openai.gpt-oss-20b-1:0",
        messages,
      }),
    credential: SIGNED,
    path: "/openai/v1/chat/completions",
    provider: "bedrock",
    // (14 * 0.07 + 19 * 0.3) / 1e6
    row: ["openai.gpt-oss-20b-1:0", 14, "0.00000668", "account"],
  },
  "Anthropic at Bedrock": {
    call: () =>
      new Anthropic({ apiKey: bound, baseURL: `${origin}/bedrock/anthropic` }).messages.create({
        model: "anthropic.claude-haiku-4-5",
        ...claude,
      }),
    credential: `Bearer ${BEDROCK_KEY}`,
    path: "/anthropic/v1/messages",
    provider: "bedrock",
    row: ["claude-haiku-4-5-20251001", 484, "0.0007304", "api-key"],
  },
  AzureOpenAI: {
    call: () =>
      new AzureOpenAI({ endpoint: origin, apiKey: key, apiVersion: "2024-02-01" }).chat.completions.create({
        model: "my-chat",
        messages,
      }),
    credential: `api-key: ${AZURE_KEY}`,
    path: "/openai/deployments/my-chat/chat/completions",
    provider: "azure",
    // (14 * 0.4 + 19 * 1.6) / 1e6
    row: ["gpt-4.1-mini-2025-04-14", 14, "0.000036", "account"],
  },
  "Anthropic at Azure": {
    call: () =>
      new Anthropic({ apiKey: key, baseURL: `${origin}/azure/anthropic` }).messages.create({
        model: "my-haiku",
        ...claude,
      }),
    credential: `x-api-key: ${AZURE_KEY}`,
    path: "/anthropic/v1/messages",
    provider: "azure",
    // (484 * 1 + 36 * 5) / 1e6
    row: ["claude-haiku-4-5-20251001", 484, "0.000664", "account"],
  },
  "AnthropicVertex with an access token": {
    call: () => vertexClient(key).messages.create({ model: "claude-sonnet-4-5@20250929", ...claude }),
    credential: MINTED,
    path: CLAUDE_PATH,
    provider: "vertex",
    row: sonnetRow,
  },
  "AnthropicVertex, to which an API key is bound": {
    call: () => vertexClient(bound).messages.create({ model: "claude-sonnet-4-5@20250929", ...claude }),
    credential: `x-goog-api-key: ${VERTEX_KEY}`,
    path: CLAUDE_PATH,
    provider: "vertex",
    row: withAlias(sonnetRow, "api-key"),
  },
  "GoogleGenAI at Vertex AI": {
    call: () =>
      new GoogleGenAI({ vertexai: true, apiKey: key, httpOptions: { baseUrl: origin } }).models.generateContent({
        model: "gemini-2.5-flash",
        contents: "Hello",
      }),
    credential: MINTED,
    path: GEMINI_PATH,
    provider: "vertex",
    row: geminiRow,
  },
  "GoogleGenAI at Vertex AI, to which an API key is bound": {
    call: () =>
      new GoogleGenAI({ vertexai: true, apiKey: bound, httpOptions: { baseUrl: origin } }).models.generateContent({
        model: "gemini-2.5-flash",
        contents: "Hello",
      }),
    credential: `x-goog-api-key: ${VERTEX_KEY}`,
    path: GEMINI_PATH,
    provider: "vertex",
    row: withAlias(geminiRow, "api-key"),
  },
  "OpenAI at Vertex AI": {
    call: () =>
      new OpenAI({ apiKey: key, baseURL: `${origin}${VERTEX_PATH}/endpoints/openapi` }).chat.completions.create({
        model: "google/gemini-2.5-flash",
        messages,
      }),
    credential: MINTED,
    path: `${VERTEX_PATH}/endpoints/openapi/chat/completions`,
    provider: "vertex",
    // (14 * 0.3 + 19 * 2.5) / 1e6
    row: ["google/gemini-2.5-flash", 14, "0.0000517", "account"],
  },
}

async function check({ call, path, credential, provider, row }: Case) {
  const recorded = new Promise<LogRecord>((resolve) => {
    onRecord = resolve
  })
  await call()
  expect(received).toEqual([{ path, credential }])
  const [model, input, cost, alias] = row
  expect(await recorded).toMatchObject({
    provider,
    model,
    input_tokens: input,
    total_cost: cost,
    cost_status: "exact",
    provider_api_key_alias: alias,
  })
}

describe("an official client that has only a gateway key, where its SDK puts a key", () => {
  test.each(Object.entries(CASES))(
    "%s: its cloud gets the credential of the vault, and the row has the cost",
    (_, each) => check(each),
  )

  test("one access token is enough for all requests of a service account", () => {
    expect(tokens).toBe(1)
  })

  // Its bearer tokens need TLS.
  test.skipIf(PYTHON === undefined)("boto3 (skipped unless DOCS_PYTHON is a Python that has it)", async () => {
    const script = `import boto3, json, sys
client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=sys.argv[1])
print(client.converse(**json.loads(sys.argv[2]))["usage"]["outputTokens"])`
    const env = { HOME: dir, AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: "anything" }
    const call = async () => {
      const args = ["-c", script, origin, JSON.stringify(CONVERSE)]
      expect((await promisify(execFile)(PYTHON!, args, { env })).stdout).toBe("61\n")
    }
    await check({ ...CASES["BedrockRuntimeClient, Converse"]!, call })
  })
})

test("with server.models: own, a list has the models of a provider for which the vault or the client has a credential", async () => {
  const list = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(`${origin}${path}`, { headers })
    const { data, models } = (await response.json()) as { data?: unknown[]; models?: unknown[] }
    return (data ?? models)!.length > 0
  }
  expect(await list("/v1/models", { authorization: `Bearer ${key}` })).toBe(false)
  expect(await list("/v1/models", { authorization: "Bearer sk-own", "x-majordomo-key": key })).toBe(true)
  expect(await list("/vertex/v1beta/models", { "x-goog-api-key": key })).toBe(true)
  expect(received).toEqual([])
})
