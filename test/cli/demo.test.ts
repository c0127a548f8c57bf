import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { majordomo } from "../../src/client/index.ts"
import { sampleDays } from "../../src/demo/sample.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { until, untilFound } from "../support/until.ts"

describe("serve --demo", () => {
  let installation: Installation
  let gateway: RunningGateway
  const config = ["--demo"]

  beforeAll(async () => {
    // The demo and its commands must not use what is configured: nothing is there.
    installation = createInstallation({
      DATABASE_URL: "postgres://x@127.0.0.1:9/x",
      MAJORDOMO_STORAGE_DATA_DIR: "/nonexistent",
    })
    gateway = await installation.serve({ args: ["--demo"] })
  })
  afterAll(() => installation?.remove())

  const connect = async () => {
    const said = await untilFound(() => gateway.stdout.includes("mdm_sk_") && gateway.stdout)
    return majordomo({ url: gateway.origin, apiKey: /mdm_sk_[\w-]+/.exec(said)![0], userId: "me" })
  }

  test("has thirty days of requests: several keys, features and models, and every kind of confidence", async () => {
    const { rows, total } = (await installation.runJson(["usage", "--by", "day", "--since", "30d", ...config])) as Usage
    // Shortly after midnight, nobody has asked anything today.
    expect(rows.length).toBeGreaterThanOrEqual(29)
    expect(total.requests).toBeGreaterThan(1_000)
    for (const kind of ["errors", "exact", "estimated", "unpriced"] as const)
      expect(total[kind], kind).toBeGreaterThan(0)
    const keys = (await installation.runJson(["usage", "--by", "key", ...config])) as Usage
    expect(keys.rows.map(({ key }) => key)).toEqual(
      expect.arrayContaining(["Support", "Engineering", "Research", "Search"]),
    )
  })

  test("has requests with the login of a subscription, whose API value is beside the bill", async () => {
    const { rows } = (await installation.runJson(["usage", "--by", "billing", "--since", "30d", ...config])) as {
      rows: { billing: string; total_cost: string; subscription_value: string }[]
    }
    const paid = rows.find(({ billing }) => billing === "subscription")!
    expect([Number(paid.total_cost), Number(paid.subscription_value) > 1]).toEqual([0, true])
  })

  test("has a bill with usage outside of the gateway and a changed price", async () => {
    const { providers } = (await installation.runJson(["reconcile", "history", "--since", "30d", ...config])) as {
      providers: { provider: string; causes: { cause: string }[] }[]
    }
    expect(providers.map(({ provider }) => provider)).toEqual(["openai"])
    expect(new Set(providers[0]!.causes.map(({ cause }) => cause))).toEqual(new Set(["outside", "price"]))
  })

  test("has agent runs whose steps are a tree below the first", async () => {
    const runs = (await installation.runJson(["usage", "runs", "--since", "30d", "--limit", "500", ...config])) as {
      trace: string
    }[]
    expect(runs.length).toBeGreaterThan(20)
    const agent = runs.find(({ trace }) => trace.startsWith("agent-"))!
    const { code, stdout } = await installation.run(["usage", "run", agent.trace, ...config])
    expect(code).toBe(0)
    for (const step of ["plan", "edit", "test", "summarize"]) expect(stdout).toContain(step)
  })

  test("[U14] every command that reads works with --demo and shows the data of the demo", async () => {
    const [{ id }] = (await installation.runJson(["usage", "requests", "--limit", "1", ...config])) as [{ id: string }]
    const [key] = (await installation.runJson(["keys", "list", ...config])) as [{ id: string }]
    const commands: readonly (readonly string[])[] = [
      ["usage"],
      ["usage", "requests"],
      ["usage", "request", id],
      ["usage", "runs"],
      ["usage", "pending"],
      ["metadata", "list"],
      ["keys", "list"],
      ["keys", "get", key.id],
      ["pricing", "list"],
      ["pricing", "get", "gpt-4o-mini"],
      ["pricing", "history", "gpt-4o-mini"],
      ["pricing", "reprice", "--since", "7d", "--dry-run"],
      ["prune", "--older-than", "90d", "--dry-run"],
    ]
    for (const command of commands) {
      const { code, stdout, stderr } = await installation.run([...command, "--json", ...config])
      expect([code, stderr.match(/^error.*/m)], command.join(" ")).toEqual([0, null])
      expect(JSON.parse(stdout), command.join(" ")).toBeTruthy()
    }
    const exported = await installation.run(["usage", "export", "--bodies", "--since", "7d", ...config])
    expect(exported).toMatchObject({ code: 0, stderr: expect.stringContaining("requests exported") })
    const doctor = await installation.run(["doctor", ...config])
    expect(doctor.stdout).toContain(".majordomo-demo")
  })

  test("every command has --demo, which excludes --config", async () => {
    expect((await installation.run(["keys", "list", "--demo"])).stdout).toContain("Engineering")
    expect((await installation.run(["verify", "--demo"])).stdout).toContain("The books balance")
    const both = await installation.run(["usage", "--demo", "--config", "x.yaml"])
    expect(both).toMatchObject({ code: 2, stdout: "" })
    const other = createInstallation()
    const { code, stderr } = await other.run(["usage", "--demo"])
    await other.remove()
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "error: there is no demo yet: start it with majordomo-gateway serve --demo\n",
    })
  })

  test("answers every SDK, streamed and not, without a provider's key, and writes an exact row for each request", async () => {
    const gate = await connect()
    const openai = new OpenAI({ apiKey: "none", maxRetries: 0, ...gate.openai })
    const anthropic = new Anthropic({ apiKey: "none", maxRetries: 0, ...gate.anthropic })
    const gemini = new GoogleGenAI({ apiKey: "none", ...gate.google })
    const messages = [{ role: "user" as const, content: "Say hello" }]
    const chat = { model: "gpt-4o-mini", messages }
    const claude = { model: "claude-sonnet-4-6", max_tokens: 50, messages }
    const flash = { model: "gemini-2.5-flash", contents: "Say hello" }
    const said: (string | undefined)[] = [
      (await openai.chat.completions.create(chat)).choices[0]!.message.content!,
      await joined(
        await openai.chat.completions.create({ ...chat, stream: true }),
        (chunk) => chunk.choices[0]?.delta.content,
      ),
      (await openai.responses.create({ model: "gpt-5-mini", input: "Say hello" })).output_text,
      await joined(await openai.responses.create({ model: "gpt-5-mini", input: "Say hello", stream: true }), (event) =>
        event.type === "response.output_text.delta" ? event.delta : "",
      ),
      textOf(await anthropic.messages.create(claude)),
      textOf(await anthropic.messages.stream(claude).finalMessage()),
      (await gemini.models.generateContent(flash)).text,
      await joined(await gemini.models.generateContentStream(flash), (chunk) => chunk.text),
    ]
    expect(new Set(said)).toEqual(new Set(["This is the demo: no provider was asked. Your prompt has 9 characters."]))
    await openai.embeddings.create({ model: "text-embedding-3-small", input: "Say hello" })
    await until(async () => {
      const { total } = (await installation.runJson(["usage", "--where", "User-Id=me", ...config])) as Usage
      expect(total).toMatchObject({ requests: 9, exact: 9 })
    }, 200)
  })

  test("does not touch the real data directory, and replaces its data at each start", async () => {
    // The gateway that runs announces itself there to the commands of its user.
    expect(readdirSync(join(installation.home, ".majordomo"))).toEqual(["running"])
    await gateway.stop()
    gateway = await installation.serve({ args: ["--demo"] })
    const { total } = (await installation.runJson(["usage", "--where", "User-Id=me", ...config])) as Usage
    expect(total.requests).toBe(0)
    await gateway.stop()
  })

  test("never empties a directory that it did not create", async () => {
    const dir = join(installation.home, ".majordomo-demo")
    rmSync(dir, { recursive: true })
    mkdirSync(dir)
    writeFileSync(join(dir, "precious"), "")
    const { code, stderr } = await installation.run(["serve", "--demo", "--port", "0"])
    expect(code).toBe(1)
    expect(stderr).toContain("contains something other than a demo")
    expect(readdirSync(dir)).toEqual(["precious"])
  })

  test("cannot be combined with --config: exit 2", async () => {
    expect(await installation.run(["serve", "--demo", "--config", "x.yaml"])).toMatchObject({ code: 2, stdout: "" })
  })
})

describe("the sample data", () => {
  const now = Date.parse("2026-11-21T10:00:00Z")
  test("are all in the thirty days before, in order", () => {
    const times = sampleDays(now).map(({ ending }) => ending.respondedAt)
    expect(times).toEqual([...times].sort((one, other) => one - other))
    expect(times[0]).toBeGreaterThan(now - 31 * 86_400_000)
    expect(times.at(-1)).toBeLessThan(now)
  })
  test("are the same for the same time, except for their ids", () => {
    const shown = () => sampleDays(now).map(({ call: { id: _, ...call }, ...rest }) => ({ call, ...rest }))
    expect(shown()).toEqual(shown())
  })
})

interface Usage {
  readonly rows: readonly { readonly key?: string }[]
  readonly total: Record<"requests" | "errors" | "exact" | "estimated" | "unpriced", number>
}

async function joined<T>(stream: AsyncIterable<T>, toText: (piece: T) => string | null | undefined): Promise<string> {
  let text = ""
  for await (const piece of stream) text += toText(piece) ?? ""
  return text
}

function textOf({ content }: Anthropic.Message): string {
  return content.map((block) => (block.type === "text" ? block.text : "")).join("")
}
