import { execFileSync } from "node:child_process"
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { ACCESS_KEY, BUCKET, REGION, SECRET_KEY, startS3 } from "../support/s3.ts"

const ROOT = fileURLToPath(new URL("../../", import.meta.url))
const MAX_TARBALL_BYTES = 7_500_000
const MAX_INSTALLED_BYTES = 13_100_000

/** The result of `npm pack`, unpacked read-only where no other package is. */
describe("the package as it is installed", () => {
  let directory: string
  let bin: string
  let files: readonly string[]
  const read = (path: string) => readFileSync(join(directory, "package", path), "utf8")

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "majordomo-package-"))
    execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: ROOT, stdio: "pipe" })
    const tarball = readdirSync(directory).find((name) => name.endsWith(".tgz"))!
    execFileSync("tar", ["-xzf", tarball], { cwd: directory })
    files = readdirSync(join(directory, "package"), { recursive: true, encoding: "utf8" })
    bin = join(directory, "package/bin/majordomo.mjs")
    for (const path of files) chmodSync(join(directory, "package", path), 0o555)
    expect(statSync(join(directory, tarball)).size).toBeLessThan(MAX_TARBALL_BYTES)
  })
  afterAll(() => {
    for (const path of files) chmodSync(join(directory, "package", path), 0o755)
    rmSync(directory, { recursive: true, force: true })
  })

  test("[SUP-05] has no dependencies and runs nothing at installation", () => {
    const manifest = JSON.parse(read("package.json")) as { scripts: object }
    for (const field of ["dependencies", "optionalDependencies", "peerDependencies"]) {
      expect(manifest).not.toHaveProperty(field)
    }
    expect(Object.keys(manifest.scripts).filter((name) => /install|^prepare$/.test(name))).toEqual([])
    const bytes = files.reduce((sum, path) => sum + statSync(join(directory, "package", path)).size, 0)
    expect(bytes).toBeLessThan(MAX_INSTALLED_BYTES)
  })

  test("[OUT-07] imports only its own files and node's modules", () => {
    const modules = files.filter((path) => path.endsWith(".mjs"))
    expect(modules).toContain("dist/index.mjs")
    const imports =
      /(?:^|[;}\n])import\s*(?:[\w$*{][^;"'`()]*?from\s*)?["']([^"'\n]+)["']|[^.\w]import\(["']([^"'\n]+)["']\)/g
    const foreign = modules.flatMap((path) =>
      [...read(path).matchAll(imports)].flatMap(([, fixed, lazy]) => {
        const name = fixed ?? lazy ?? ""
        const isKnown = /^(node:|\.\.?\/)/.test(name) || builtinModules.includes(name)
        return isKnown ? [] : [`${path}: ${name}`]
      }),
    )
    expect(foreign).toEqual([])
  })

  // Pictures stay in the repository: npmjs.com shows them from there, and nobody reads them in node_modules.
  test("contains every page to which its README and its other pages link, and no picture", () => {
    expect(files.filter((path) => /\.(?:svg|webp|png)$/.test(path) && !path.startsWith("dist/"))).toEqual([])
    const pages = files.filter((path) => path.endsWith(".md"))
    expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/deployment.md", "SECURITY.md"]))
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)\s#:]+)(?:#[^)]*)?\)/g)]
        .filter(([, link]) => !link!.endsWith(".svg"))
        .map(([, link]) => join(page, "..", link!))
        .filter((path) => !files.includes(path.replace(/\/$/, "")))
        .map((path) => `${page}: ${path}`),
    )
    expect(broken).toEqual([])
  })

  test("the bill of materials names each bundled package with its version and digest, and no other", () => {
    const file = join(directory, "sbom.cdx.json")
    execFileSync(process.execPath, [join(ROOT, "scripts/sbom.mjs"), file], { stdio: "pipe" })
    const bom = JSON.parse(readFileSync(file, "utf8")) as {
      bomFormat: string
      components: { name: string; version: string; purl?: string; hashes?: unknown[] }[]
    }
    expect(bom.bomFormat).toBe("CycloneDX")
    const licensed = [
      ...read("THIRD_PARTY_LICENSES").matchAll(/^((?:@[\w.-]+\/)?[\w.-]+(?: in PGlite)? \d+\.\d+\.\d\S*) \(/gm),
    ]
    expect(bom.components.map(({ name, version }) => `${name} ${version}`).sort()).toEqual(
      licensed.map(([, name]) => name).sort(),
    )
    const packages = bom.components.filter(({ purl }) => purl !== undefined)
    expect(packages.length).toBeGreaterThan(20)
    for (const { hashes, name } of packages) expect(hashes, name).toHaveLength(1)
  })

  test("contains the licenses of the bundled packages", () => {
    const licenses = read("THIRD_PARTY_LICENSES")
    for (const name of [
      "@electric-sql/pglite",
      "@aws-sdk/client-s3",
      "@pydantic/genai-prices",
      "undici",
      "pg",
      "h3",
      "jiti",
    ]) {
      expect(licenses).toMatch(new RegExp(`^${name} \\d`, "m"))
    }
    expect(licenses).toContain("Apache License")
    for (const owner of ["PostgreSQL Global Development Group", "Unicode, Inc.", "Rich Felker", "Brian M. Carlson"]) {
      expect(licenses).toContain(owner)
    }
    expect(licenses).not.toMatch(/^MIT: the package holds no text/m)
  })

  test("[SUP-11] on the embedded database, with a configuration in TypeScript, a request has its row", async () => {
    const fakeProvider = await startFakeProvider()
    const installation = createInstallation({ MAJORDOMO_PRICING_REMOTE_URL: "" }, { bin })
    try {
      const config = `const base_url: string = ${JSON.stringify(fakeProvider.origin)}\nexport default { providers: { openai: { base_url } } }\n`
      writeFileSync(join(installation.home, "majordomo.ts"), config)
      const gateway = await installation.serve({ args: ["--config", "majordomo.ts"] })
      await expect.poll(() => gateway.stdout).toMatch(/mdm_sk_[\w-]+/)
      const key = /mdm_sk_[\w-]+/.exec(gateway.stdout)![0]
      expect((await ask(gateway.origin, key)).status).toBe(200)
      await gateway.stop()
      expect(await installation.runJson(["usage"])).toHaveProperty("total.requests", 1)
    } finally {
      await installation.remove()
      await fakeProvider.close()
    }
  })

  test("on PostgreSQL, with bodies in S3, every command group works", async () => {
    const [fakeProvider, s3, database] = await Promise.all([
      startFakeProvider(),
      startS3(),
      createTestDatabase({ empty: true }),
    ])
    const installation = createInstallation(
      {
        MAJORDOMO_PRICING_REMOTE_URL: "",
        DATABASE_URL: database.url,
        MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
        MAJORDOMO_LOGGING_BODY_STORAGE: "s3",
        MAJORDOMO_S3_ENABLED: "true",
        MAJORDOMO_S3_BUCKET: BUCKET,
        MAJORDOMO_S3_REGION: REGION,
        MAJORDOMO_S3_ENDPOINT: s3.endpoint,
        // The credentials are in the environment, so this also tests the SDK's credential chain in the package.
        AWS_ACCESS_KEY_ID: ACCESS_KEY,
        AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      },
      { bin },
    )
    try {
      expect(await installation.run(["migrate"])).toHaveProperty("code", 0)
      const { key } = (await installation.runJson(["keys", "create", "--name", "one"])) as { readonly key: string }
      const gateway = await installation.serve()
      expect((await ask(gateway.origin, key)).status).toBe(200)
      await s3.waitForKeys(1)
      expect(JSON.parse(gunzipSync(s3.puts[0]!.body).toString())).toHaveProperty("response.status_code", 200)
      await gateway.stop()
      expect(await installation.runJson(["usage", "--by", "model"])).toHaveProperty("total.requests", 1)
      expect(await installation.runJson(["pricing", "list"])).not.toEqual([])
    } finally {
      await installation.remove()
      await Promise.all([fakeProvider.close(), s3.close(), database.drop()])
    }
  })
})

function ask(origin: string, key: string): Promise<Response> {
  return fetch(`${origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-majordomo-key": key, authorization: "Bearer sk-test" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] }),
  })
}
