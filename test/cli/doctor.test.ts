import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openBucket } from "../../src/bodies/s3/client.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type Ran } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { ACCESS_KEY, BUCKET, REGION, type S3Server, SECRET_KEY, startS3 } from "../support/s3.ts"

interface Report {
  readonly healthy: boolean
  readonly findings: readonly { check: string; status: string; message: string; fix?: string }[]
}

describe("doctor", () => {
  let fakeProvider: FakeProvider
  let s3: S3Server
  let installation: Installation
  let settings: Record<string, string>

  beforeAll(async () => {
    ;[fakeProvider, s3] = await Promise.all([startFakeProvider(), startS3()])
    settings = {
      DATABASE_URL: (await createTestDatabase({ empty: true })).url,
      MAJORDOMO_SERVER_PORT: "1",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_S3_ENABLED: "true",
      MAJORDOMO_S3_BUCKET: BUCKET,
      MAJORDOMO_S3_REGION: REGION,
      MAJORDOMO_S3_ENDPOINT: s3.endpoint,
      MAJORDOMO_S3_ACCESS_KEY_ID: ACCESS_KEY,
      MAJORDOMO_S3_SECRET_ACCESS_KEY: SECRET_KEY,
    }
    installation = createInstallation(settings)
  })
  afterAll(async () => {
    await installation?.remove()
    await s3?.close()
    await fakeProvider?.close()
  })

  async function examine(changed: Record<string, string> = {}): Promise<Report & Pick<Ran, "code">> {
    const { code, stdout } = await installation.run(["doctor", "--json"], changed)
    return { code, ...(JSON.parse(stdout) as Report) }
  }

  test("without problems it exits with 0, every check has run, and nothing is left in S3", async () => {
    const { code, healthy, findings } = await examine()
    expect(findings.filter(({ status }) => status === "problem")).toEqual([])
    expect({ code, healthy }).toEqual({ code: 0, healthy: true })
    const checks = [
      "settings",
      "data directory",
      "database",
      "S3",
      "prices",
      "providers",
      "clock",
      "notifications",
      "gateway",
    ]
    expect([...new Set(findings.map(({ check }) => check))]).toEqual(checks)
    expect(findings.map(({ message }) => message)).toContain("LISTEN works: a revoked key is rejected at once")
    const [probe] = s3.puts
    const where = { bucket: BUCKET, region: REGION, endpoint: s3.endpoint }
    const bucket = await openBucket({ ...where, accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY }, 5_000)
    expect(await bucket.get(probe!.key)).toBeUndefined()
    bucket.close()
    expect(fakeProvider.exchanges.every(({ method }) => method === "HEAD")).toBe(true)
  })

  const broken: readonly (readonly [what: string, changed: Record<string, string>, problem: RegExp])[] = [
    ["an unknown setting", { MAJORDOMO_SERVER_PROT: "1" }, /did you mean MAJORDOMO_SERVER_PORT/],
    [
      "an unreachable database",
      { DATABASE_URL: "postgres://x:geheim@127.0.0.1:9/x" },
      /no PostgreSQL listens at 127\.0\.0\.1:9/,
    ],
    ["a missing bucket", { MAJORDOMO_S3_BUCKET: "nowhere" }, /bucket does not exist/],
    ["a wrong secret for S3", { MAJORDOMO_S3_SECRET_ACCESS_KEY: "geheim" }, /S3/],
    [
      "an unreachable provider",
      { MAJORDOMO_PROVIDERS_GEMINI_BASE_URL: "http://127.0.0.1:9" },
      /gemini cannot be reached/,
    ],
    ["a missing price file", { MAJORDOMO_PRICING_FALLBACK_FILE: "/nowhere.json" }, /nowhere\.json/],
  ]
  test.each(broken)("%s is one problem: exit 1, and no secret is shown", async (_what, changed, problem) => {
    const { code, healthy, findings } = await examine(changed)
    const problems = findings.filter(({ status }) => status === "problem")
    expect(problems.map(({ message, fix }) => `${message} ${fix ?? ""}`)).toEqual([expect.stringMatching(problem)])
    expect({ code, healthy }).toEqual({ code: 1, healthy: false })
    expect(JSON.stringify(findings)).not.toMatch(new RegExp(`geheim|${SECRET_KEY.replaceAll("+", "\\+")}`))
  })

  test.skipIf(process.getuid?.() === 0)(
    "a data directory that cannot be written is a problem (skipped for root, who can write it)",
    async () => {
      const dir = join(installation.home, "closed")
      mkdirSync(dir)
      chmodSync(dir, 0o500)
      const { code, findings } = await examine({ MAJORDOMO_STORAGE_DATA_DIR: dir })
      expect(code).toBe(1)
      expect(findings.find(({ status }) => status === "problem")?.message).toContain("cannot be written")
    },
  )

  test("a data directory that is a file is a problem, also for root", async () => {
    const { code, findings } = await examine({ MAJORDOMO_STORAGE_DATA_DIR: "/dev/null/x" })
    expect(code).toBe(1)
    expect(findings.find(({ check, status }) => check === "data directory" && status === "problem")?.message).toContain(
      "ENOTDIR",
    )
  })

  test("a data directory that cannot be created is a problem, also for root", async () => {
    const { code, findings } = await examine({ MAJORDOMO_STORAGE_DATA_DIR: "/proc/nope" })
    expect(code).toBe(1)
    expect(findings.find(({ check }) => check === "data directory")).toMatchObject({
      status: "problem",
      message: "/proc/nope cannot be created (ENOENT)",
      fix: expect.stringContaining("set storage.data_dir"),
    })
  })

  test("the text has a line for each finding with the fix below it, and stderr has the number of problems", async () => {
    const { code, stdout, stderr } = await installation.run(["doctor"], { MAJORDOMO_S3_BUCKET: "nowhere" })
    expect(stdout).toMatch(
      /^1 thing needs attention:\n {2}problem {2}S3: S3 does not accept objects: the bucket does not exist/,
    )
    expect(stdout).toContain("\n\nok       settings        ")
    expect(stderr).toMatch(/^error: 1 problem was found\n$/m)
    expect(code).toBe(1)
  })

  test("health checks the running gateway at the port of the settings or of --port, and doctor at its real one", async () => {
    const gateway = await installation.serve()
    const port = String(gateway.port)
    expect(await installation.run(["health"], { MAJORDOMO_SERVER_PORT: port })).toMatchObject({
      code: 0,
      stdout: "ok\n",
    })
    expect(await installation.runJson(["health", "--port", port])).toEqual({
      healthy: true,
      warnings: [],
      gateway: gateway.origin,
      status: 200,
    })
    const running = (await examine({ MAJORDOMO_SERVER_PORT: port })).findings.find(({ check }) => check === "gateway")
    expect(running).toMatchObject({ status: "ok", message: `it runs at ${gateway.origin} and is ready` })
    const found = (await examine({ MAJORDOMO_SERVER_PORT: "1" })).findings.filter(({ check }) => check === "gateway")
    expect(found).toMatchObject([{ status: "ok", message: `it runs at ${gateway.origin} and is ready` }])
    await gateway.stop()
    const gone = await installation.run(["health", "--live", "--port", port])
    expect(gone).toMatchObject({ code: 1, stdout: "" })
    expect(gone.stderr).toContain(`no gateway answers at ${gateway.origin}`)
  })
})
