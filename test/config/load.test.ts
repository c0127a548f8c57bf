import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { LoadOptions } from "../../src/config/load.ts"
import { describeSettings } from "../../src/server/describe.ts"
import { loadSettings } from "../../src/server/settings.ts"

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "mdm-config-"))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const put = (name: string, content: string) => writeFileSync(join(cwd, name), content)
const load = (options: LoadOptions = {}) =>
  loadSettings({ cwd, env: {}, systemFile: join(cwd, "etc/majordomo.yaml"), ...options })
const errorOf = (options?: LoadOptions) =>
  load(options).then(
    () => "accepted",
    (error: Error) => error.message,
  )

describe("settings", () => {
  test("without any setting, the documented defaults apply", async () => {
    const { settings, warnings, sources } = await load()
    expect(settings).toMatchObject({
      server: {
        host: "127.0.0.1",
        port: 7680,
        readTimeoutMs: 30_000,
        writeTimeoutMs: 120_000,
        maxBodyBytes: 100_000_000,
        workers: 1,
        shutdownTimeoutMs: 30_000,
        notReadyAfterMs: undefined,
        maxKeyAgeMs: 43_200_000,
        createFirstKey: true,
      },
      storage: {
        driver: "auto",
        dataDir: join(homedir(), ".majordomo"),
        autoMigrate: true,
        waitMs: 60_000,
        postgres: {
          host: "localhost",
          port: 5432,
          user: undefined,
          password: undefined,
          database: "majordomo",
          sslmode: "prefer",
          schema: undefined,
          maxConns: 20,
          url: undefined,
          isSet: false,
        },
      },
      upstream: {
        connectTimeoutMs: 10_000,
        firstByteTimeoutMs: 600_000,
        idleTimeoutMs: 300_000,
        maxConnections: 256,
        maxConnectionAgeMs: 300_000,
      },
      logging: {
        bodyStorage: "none",
        storeRequestBody: true,
        clientOptOut: true,
        storeResponseBody: true,
        maxBodyBytes: 65_536,
        redact: [],
        injectStreamUsage: true,
      },
      pricing: {
        remoteUrl: "https://www.llm-prices.com/current-v1.json",
        catalogUrl: "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/new_data/v2/data.json",
        litellmUrl: "",
        refreshIntervalMs: 3_600_000,
        overrides: {},
      },
      ledger: { journal: true, syncIntervalMs: 100, maxJournalBytes: 2 ** 30, whenFull: "drop" },
      metadata: { maxKeys: 32, maxValueLength: 1024 },
      providers: {
        openai: { baseUrl: "https://api.openai.com", format: "openai" },
        anthropic: { baseUrl: "https://api.anthropic.com", format: "anthropic" },
        gemini: { baseUrl: "https://generativelanguage.googleapis.com", format: "gemini" },
      },
    })
    expect(warnings).toEqual([])
    expect(sources["server.port"]).toBe("default")
  })

  test.each([
    ["a list in the file", "logging: {redact: [$.a, 'header:X-Team']}", undefined, ["$.a", "header:X-Team"]],
    ["text with commas", "", "$.a, header:X-Team", ["$.a", "header:X-Team"]],
    ["text that is a JSON list", "", `["$['a,b']"]`, ["$['a,b']"]],
    ["an empty variable over the file", "logging: {redact: [$.a]}", "", []],
  ])("logging.redact as %s", async (_, yaml, variable, rules) => {
    put("majordomo.yaml", yaml)
    const env = variable === undefined ? {} : { MAJORDOMO_LOGGING_REDACT: variable }
    expect((await load({ env })).settings.logging.redact).toEqual(rules)
  })

  test("flags take precedence over the environment, .env and the file, in this order", async () => {
    put("majordomo.yaml", "server: {host: file, port: 1, read_timeout: 1s, write_timeout: 1s}")
    put(".env", "MAJORDOMO_SERVER_HOST=dotenv\nMAJORDOMO_SERVER_PORT=2\nMAJORDOMO_SERVER_READ_TIMEOUT=2s\n")
    const env = { MAJORDOMO_SERVER_HOST: "environment", MAJORDOMO_SERVER_PORT: "3" }
    const { settings, sources } = await load({ env, overrides: { "server.host": "flag", "server.port": undefined } })
    expect(settings.server).toMatchObject({ host: "flag", port: 3, readTimeoutMs: 2000, writeTimeoutMs: 1000 })
    expect(sources).toMatchObject({
      "server.host": "--host",
      "server.port": "MAJORDOMO_SERVER_PORT",
      "server.read_timeout": "MAJORDOMO_SERVER_READ_TIMEOUT in .env",
      "server.write_timeout": "majordomo.yaml",
    })
    expect(process.env["MAJORDOMO_SERVER_READ_TIMEOUT"]).toBeUndefined()
  })

  test.each([
    ["majordomo.yml", "server:\n  port: 4001\n"],
    ["majordomo.json", '{"server": {"port": 4001}}'],
    ["majordomo.toml", "[server]\nport = 4001\n"],
  ])("%s is read", async (name, content) => {
    put(name, content)
    expect((await load()).settings.server.port).toBe(4001)
  })

  test.each(["ts", "mts", "cts", "mjs", "js", "cjs"])(
    "[S6] majordomo.%s is executed only when --config names it",
    async (extension) => {
      const name = `majordomo.${extension}`
      const exported = /^c/.test(extension) ? "module.exports =" : "export default"
      put(name, `globalThis.executed = true\n${exported} { server: { port: 4001 } }\n`)
      Object.assign(globalThis, { executed: false })
      const { settings, warnings } = await load()
      expect(settings.server.port).toBe(7680)
      expect(globalThis).toMatchObject({ executed: false })
      expect(warnings).toEqual([
        `${name} is ignored because files that are code are read only when named: --config ${name}`,
      ])
      expect((await load({ configFile: name })).settings.server.port).toBe(4001)
    },
  )

  test("[S6] .env in the working directory sets only the gateway's own variables", async () => {
    put(".env", "DATABASE_URL=postgres://dotenv/x\nNO_COLOR=1\nMAJORDOMO_SERVER_PORT=4001\n")
    const { settings, sources, warnings } = await load()
    expect(settings.storage.postgres).toMatchObject({ url: undefined, isSet: false })
    expect(settings.server.port).toBe(4001)
    expect(sources["storage.postgres.url"]).toBe("default")
    expect(warnings).toEqual([
      "DATABASE_URL in .env is not read: set MAJORDOMO_STORAGE_POSTGRES_URL there, or DATABASE_URL in the environment",
    ])
  })

  test("a replica says nothing about where the database is", async () => {
    const replica = { MAJORDOMO_STORAGE_POSTGRES_READ_URL: "postgres://replica/x" }
    expect((await load({ env: replica })).settings.storage.postgres).toMatchObject({ isSet: false })
    const { settings, warnings } = await load({ env: { ...replica, DATABASE_URL: "postgres://db/x" } })
    expect(settings.storage.postgres).toMatchObject({
      url: "postgres://db/x",
      readUrl: "postgres://replica/x",
      readMaxLagMs: 10_000,
      isSet: true,
    })
    expect(warnings).toEqual([])
  })

  test("[S6] a start says where settings come from, the database, and addresses of providers that are no default", async () => {
    put(".env", "MAJORDOMO_PROVIDERS_OPENAI_BASE_URL=http://127.0.0.1:9000\n")
    put("majordomo.yaml", "providers: {groq: {base_url: https://api.groq.com/openai, format: openai}}")
    expect(describeSettings(await load({ env: { DATABASE_URL: "postgres://me:swordfish@db:6543/calls" } }))).toEqual([
      "Settings from DATABASE_URL, majordomo.yaml, MAJORDOMO_PROVIDERS_OPENAI_BASE_URL in .env",
      'Using the database "calls" of the PostgreSQL at db:6543',
      "Provider openai is at http://127.0.0.1:9000 (MAJORDOMO_PROVIDERS_OPENAI_BASE_URL in .env)",
      "Provider groq is at https://api.groq.com/openai (majordomo.yaml)",
    ])
  })

  test("the system-wide file is read only when the working directory has none", async () => {
    mkdirSync(join(cwd, "etc"))
    put("etc/majordomo.yaml", "server: {port: 4002}")
    expect((await load()).settings.server.port).toBe(4002)
    put("majordomo.yaml", "server: {host: here}")
    expect((await load()).settings.server).toMatchObject({ host: "here", port: 7680 })
  })

  test("only the file of --config is read, and its relative paths start at its directory", async () => {
    put("majordomo.yaml", "server: {host: other}")
    mkdirSync(join(cwd, "conf"))
    put("conf/my.yaml", "pricing: {fallback_file: prices.json}\nstorage: {data_dir: ../data}")
    const { settings } = await load({ configFile: "conf/my.yaml" })
    expect(settings.server.host).toBe("127.0.0.1")
    expect(settings.pricing.fallbackFile).toBe(join(cwd, "conf/prices.json"))
    expect(settings.storage.dataDir).toBe(join(cwd, "data"))
  })

  test.each(["", "# port: 1\n", "---\n# nothing\n", "server:\n"])(
    "a file that sets nothing is accepted: %j",
    async (it) => {
      put("majordomo.yaml", it)
      expect((await load()).settings.server.port).toBe(7680)
    },
  )

  test("rc files, package.json, extends and NODE_ENV sections have no effect", async () => {
    put(".majordomorc", "server.port=1")
    put("package.json", '{"majordomo": {"server": {"port": 2}}}')
    put("base.yaml", "server: {port: 3}")
    put("majordomo.yaml", "extends: ./base.yaml\n")
    expect(await errorOf()).toBe("extends (majordomo.yaml): unknown setting")
    put("majordomo.yaml", "server: {host: here}")
    expect((await load()).settings.server.port).toBe(7680)
  })

  test("the data of genai-prices is fetched without pricing.remote_url only if its address is set", async () => {
    const urlOf = async (text: string) => {
      put("majordomo.yaml", text)
      return (await load()).settings.pricing.catalogUrl
    }
    expect(await urlOf('pricing: {remote_url: ""}')).toBe("")
    expect(await urlOf('pricing: {remote_url: "", catalog_url: "http://mirror.test/data.json"}')).toBe(
      "http://mirror.test/data.json",
    )
    expect(await urlOf('pricing: {catalog_url: ""}')).toBe("")
  })

  test("an empty variable sets the empty value", async () => {
    const env = {
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_STORAGE_POSTGRES_URL: "",
      MAJORDOMO_PRICING_FALLBACK_FILE: "",
    }
    const { settings } = await load({ env })
    expect(settings.pricing).toMatchObject({ remoteUrl: "", fallbackFile: undefined })
    expect(settings.pricing.catalogUrl).toBe("")
    expect(settings.storage.postgres).toMatchObject({ url: undefined, isSet: false })
    expect(await errorOf({ env: { MAJORDOMO_SERVER_PORT: "" } })).toBe(
      "server.port (MAJORDOMO_SERVER_PORT): expected a whole number from 0 to 65535, got nothing",
    )
  })

  test("any storage.postgres setting, or DATABASE_URL, selects PostgreSQL", async () => {
    const isSet = async (env: Record<string, string>) => (await load({ env })).settings.storage.postgres.isSet
    expect(await isSet({ MAJORDOMO_STORAGE_POSTGRES_USER: "me" })).toBe(true)
    expect(await isSet({ DATABASE_URL: "postgres://a@b/c" })).toBe(true)
    expect(await isSet({ DATABASE_URL: "mysql://a@b/c", MAJORDOMO_STORAGE_DRIVER: "embedded" })).toBe(false)
  })

  test("[U12] a DATABASE_URL that is no PostgreSQL address is an error, never silently the embedded database", async () => {
    expect(await errorOf({ env: { DATABASE_URL: "mysql://u:swordfish@b/c" } })).toBe(
      "DATABASE_URL (environment): expected a connection string such as postgres://user:password@host:5432/database, got another value (not shown); to use the embedded database, unset it or set storage.driver: embedded",
    )
  })

  test("DATABASE_URL is ignored with a warning when a storage.postgres setting is set", async () => {
    const env = { DATABASE_URL: "postgres://u:hidden@b/c", MAJORDOMO_STORAGE_POSTGRES_HOST: "db" }
    const { settings, warnings } = await load({ env })
    expect(settings.storage.postgres).toMatchObject({ url: undefined, host: "db" })
    expect(warnings).toEqual([
      "DATABASE_URL is ignored because storage.postgres.host is set (MAJORDOMO_STORAGE_POSTGRES_HOST)",
    ])
  })

  test("additional providers come from the file and from variables", async () => {
    put("majordomo.yaml", "providers:\n  my-llm: {base_url: https://llm.example/api/, format: openai, prices: free}\n")
    const env = {
      MAJORDOMO_PROVIDERS_MY_LLM_BASE_URL: "http://10.0.0.1:8000",
      MAJORDOMO_PROVIDERS_GROQ_BASE_URL: "https://api.groq.com/openai/",
      MAJORDOMO_PROVIDERS_GROQ_FORMAT: "openai",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: "http://127.0.0.1:9000/",
    }
    const { providers } = (await load({ env })).settings
    expect(providers).toMatchObject({
      "my-llm": { baseUrl: "http://10.0.0.1:8000", format: "openai", prices: "free" },
      groq: { baseUrl: "https://api.groq.com/openai", format: "openai" },
      openai: { baseUrl: "http://127.0.0.1:9000", format: "openai" },
    })
  })

  test("prices become decimals by name of rate", async () => {
    put(
      "majordomo.yaml",
      "pricing:\n  overrides:\n    my.model: {input: 0.15, output: '0.6', cache_write_1h: 0.0000001}\n",
    )
    expect((await load()).settings.pricing.overrides).toEqual({
      "my.model": [{ base: { input: "0.15", output: "0.6", cacheWrite1h: "0.0000001" }, tiers: [] }],
    })
  })

  test("a model can have long-context tiers, and prices for periods", async () => {
    put(
      "majordomo.yaml",
      "pricing:\n  overrides:\n    m:\n      - {input: 2, tiers: [{above: 200000, input: 4}], to: 2026-10-01}\n      - {input: 1, from: '2026-10-01'}\n",
    )
    expect((await load()).settings.pricing.overrides).toEqual({
      m: [
        { base: { input: "2" }, tiers: [{ above: 200_000, rates: { input: "4" } }], to: "2026-10-01" },
        { base: { input: "1" }, tiers: [], from: "2026-10-01" },
      ],
    })
  })

  test("a discount is what remains of a price, for all time or by period", async () => {
    put("majordomo.yaml", "providers: {openai: {discount: [{percent: 12.5%, from: 2026-10-01}]}}\n")
    const env = { MAJORDOMO_PROVIDERS_ANTHROPIC_DISCOUNT: "10%" }
    const { providers } = (await load({ env })).settings
    expect(providers["openai"]?.discount).toEqual([{ factor: "0.875", from: "2026-10-01" }])
    expect(providers["anthropic"]?.discount).toEqual([{ factor: "0.9" }])
  })

  test("a provider can be called azure, which is also the name of a section of the Go gateway", async () => {
    put("majordomo.yaml", "providers: {azure: {base_url: 'https://acme.openai.azure.com', format: openai}}\n")
    const { settings, warnings } = await load()
    expect(settings.providers["azure"]).toEqual({ baseUrl: "https://acme.openai.azure.com", format: "openai" })
    expect(warnings).toEqual([])
  })

  test.each(["azure", "vertex"])("[U7] %s is a provider like any other, also in variables", async (name) => {
    const prefix = `MAJORDOMO_PROVIDERS_${name.toUpperCase()}`
    put("majordomo.yaml", `providers: {${name}: {base_url: https://cloud.example}}`)
    const { settings, warnings } = await load({ env: { [`${prefix}_FORMAT`]: "anthropic" } })
    expect(settings.providers[name]).toEqual({ baseUrl: "https://cloud.example", format: "anthropic" })
    expect(warnings).toEqual([])
  })

  test.each([
    ["vertex: {region: global}", "https://aiplatform.googleapis.com", "gemini"],
    ["vertex: {region: europe-west1}", "https://europe-west1-aiplatform.googleapis.com", "gemini"],
    ["vertex: {region: eu}", "https://aiplatform.eu.rep.googleapis.com", "gemini"],
    ["vertex: {regions: [us-east5, global]}", "https://us-east5-aiplatform.googleapis.com", "gemini"],
    ["vertex: {region: global, regions: us-east5}", "https://aiplatform.googleapis.com", "gemini"],
    ["bedrock: {region: cn-north-1}", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "bedrock"],
    ["azure: {base_url: 'https://mine.openai.azure.com/'}", "https://mine.openai.azure.com", "openai"],
    ["vertex-us: {like: vertex, region: us-east5}", "https://us-east5-aiplatform.googleapis.com", "gemini"],
    ["my-proxy: {like: anthropic, base_url: 'https://llm.example'}", "https://llm.example", "anthropic"],
  ])("a cloud is a provider as soon as its settings say where it is: %s", async (line, baseUrl, format) => {
    put("majordomo.yaml", `providers: {${line}}`)
    expect((await load()).settings.providers[line.split(":")[0]!]).toMatchObject({ baseUrl, format })
  })

  test("the models behind deployments and profiles are read with their names in lower case", async () => {
    put("majordomo.yaml", "providers: {azure: {base_url: 'https://a.example', deployments: {My-Chat: gpt-5}}}")
    const env = {
      MAJORDOMO_PROVIDERS_BEDROCK_REGION: "us-east-1",
      MAJORDOMO_PROVIDERS_BEDROCK_MODELS: '{"arn:aws:bedrock:x": "amazon.nova-lite-v1:0"}',
    }
    const { providers } = (await load({ env })).settings
    expect(providers["azure"]?.models).toEqual({ "my-chat": "gpt-5" })
    expect(providers["bedrock"]?.models).toEqual({ "arn:aws:bedrock:x": "amazon.nova-lite-v1:0" })
  })
})

describe("errors", () => {
  test("all problems are reported at once, each with its path, its source and the expected value", async () => {
    put("majordomo.yaml", "server: {prot: 1, read_timeout: 30}\nledger: {when_full: wait}\nstorage: postgres\n")
    const env = { MAJORDOMO_SERVER_PORT: "http", MAJORDOMO_SERVR_HOST: "x" }
    expect(await errorOf({ env, overrides: { "server.host": "" } })).toMatchInlineSnapshot(`
      "the configuration has 7 errors:
        server.prot (majordomo.yaml): unknown setting; did you mean server.port?
        storage (majordomo.yaml): expected a section with driver, data_dir, auto_migrate, wait, postgres, got text
        MAJORDOMO_SERVR_HOST (environment): unknown setting; did you mean MAJORDOMO_SERVER_HOST?
        server.read_timeout (majordomo.yaml): expected a duration from 1ms to 24d, such as 250ms, 30s, 5m or 1h30m, got 30
        ledger.when_full (majordomo.yaml): expected drop or block, got "wait"
        server.port (MAJORDOMO_SERVER_PORT): expected a whole number from 0 to 65535, got "http"
        server.host (--host): expected a name without spaces, got nothing"
    `)
  })

  test("[URL-12] [SEC-09] a secret is never shown", async () => {
    put("majordomo.yaml", "storage: {postgres: {password: 123456, url: 'mysql://u:swordfish@h/d'}}")
    const env = { MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: "https://user:swordfish@api.example/?key=swordfish" }
    const message = await errorOf({ env })
    expect(message).toContain("storage.postgres.password")
    expect(message).toContain("providers.openai.base_url")
    expect(message).not.toMatch(/swordfish|123456/)
  })

  test.each([
    "storage: [{postgres: {password: swordfish}}]",
    "server: {port: {password: swordfish}}",
    "server: {port: 'http://u:sword/fish@h'}",
    "storage: {postgres: {password: *swordfish}}",
    "storage:\n  postgres:\n    url:postgres://u:swordfish@h/d: 1",
    "storage: {postgres: {password: !swordfish x}}",
  ])("a secret in the wrong place is not shown: %s", async (yaml) => {
    put("majordomo.yaml", yaml)
    expect(await errorOf()).not.toMatch(/swordfish|sword.fish@/)
  })

  test.each(["yaml", "json", "toml"])("invalid %s is rejected without quoting the file", async (extension) => {
    put(`majordomo.${extension}`, 'password = swordfish ] { "password": "swordfish" : } [')
    const message = await errorOf()
    expect(message).toContain(`majordomo.${extension} cannot be read: `)
    expect(message).not.toContain("swordfish")
    expect(message).not.toContain("\n")
  })

  test.each([
    ["a missing file", "nowhere.yaml", "--config nowhere.yaml: the file does not exist"],
    ["a directory", "folder.yaml", "folder.yaml cannot be read: it is a directory, not a file"],
    ["a list", "list.yaml", "list.yaml: expected settings by name, got a list"],
    ["an unknown format", "x.conf", /^--config x.conf: expected a file that ends in .yaml, .yml/],
  ])("%s as --config", async (_, configFile, message) => {
    put("list.yaml", "- a\n")
    mkdirSync(join(cwd, "folder.yaml"))
    put("x.conf", "a")
    expect(await errorOf({ configFile })).toMatch(message)
  })

  test.each([
    ["providers: {OpenAI: {base_url: https://x.example}}", /lower-case/],
    [
      "providers: {groq: {base_url: https://x.example}}",
      /^providers.groq.format \(unset\): expected one of openai, anthropic, bedrock, gemini, got nothing/,
    ],
    ["providers: {groq: {format: openai}}", /^providers.groq.base_url/],
    ["providers: {gemini-openai: {format: openai, base_url: https://x.example}}", /name is reserved/],
    [
      "providers: {metrics: {format: openai, base_url: https://x.example}}",
      /reserved: \/metrics is a path of the gateway/,
    ],
    ["providers: {vertex: {discount: 5%}}", /^providers.vertex.region .*such as us-central1, or global, got nothing/],
    ["providers: {azure: {discount: 5%}}", /^providers.azure.base_url .*such as https:..RESOURCE.openai.azure.com/],
    ["providers: {openai: {region: eu}}", /only bedrock and vertex have regions/],
    ["providers: {vertex: {region: 'EU west'}}", /^providers.vertex.region .*: expected the name of a region/],
    [
      "providers: {vertex: {regions: ['us-east5.evil.example/']}}",
      /^providers.vertex.regions .*: expected a list of names of regions/,
    ],
    ["providers: {vertex: {regions: []}}", /^providers.vertex.regions .*: expected a list of names of regions/],
    [
      "providers: {vertex: {regions: [global], base_url: 'https://x.example'}}",
      /^providers.vertex.regions .*: each region has an address/,
    ],
    [
      "providers: {bedrock: {regions: [us-east-1]}}",
      /^providers.bedrock.regions .*: only the paths of vertex name a region/,
    ],
    ["providers: {openai: {regions: [eu]}}", /^providers.openai.regions .*: only bedrock and vertex have regions/],
    ["providers: {azure: {base_url: 'https://x.example', deployments: [a]}}", /expected names of models by name/],
    ["providers: {openai: {format: gemini}}", /the format of openai is openai/],
    ["providers: {openai: {base_url: 'ftp://x.example'}}", /expected an http/],
    ["providers: {openai: {base_url: 'https://x.example?a=b'}}", /expected an http/],
    ["providers: {openai: {baseurl: 'https://x.example'}}", /did you mean providers.openai.base_url/],
    ["upstream: {idle_timeout: 25d}", /expected a duration from 1ms to 24d/],
    ["upstream: {idle_timeout: 0s}", /expected a duration/],
    ["pricing: {overrides: {m: {inptu: 1}}}", /expected prices by model/],
    ["pricing: {overrides: {m: {input: -1}}}", /expected prices by model/],
    ["pricing: {overrides: {m: {input: 1, from: soon}}}", /expected prices by model/],
    ["pricing: {overrides: {m: {input: 1, tiers: [{input: 2}]}}}", /expected prices by model/],
    ["providers: {openai: {discount: 0.1}}", /expected a percentage such as 10%/],
    ["providers: {openai: {discount: 100%}}", /expected a percentage such as 10%/],
    ["logging: {redact: {a: 1}}", /expected a list of texts, got a section/],
    ["logging: {redact: [1]}", /expected a list of texts, got a list/],
    ["__proto__: {a: 1}", /unknown setting/],
    ["constructor: {a: 1}", /unknown setting/],
  ])("%s", async (yaml, message) => {
    put("majordomo.yaml", yaml)
    expect(await errorOf()).toMatch(message)
  })

  test.each(["auto", 4])("server.workers may be %s", async (workers) => {
    put("majordomo.yaml", `server: {workers: ${workers}}`)
    expect((await load()).settings.server.workers).toBe(workers)
  })
})

describe("admin.oidc", () => {
  const oidc = (more: string) => {
    put("majordomo.yaml", `admin: { oidc: { issuer: "https://id.example.com/", client_id: gateway${more} } }`)
    return errorOf()
  }

  test("keeps the issuer as it is written, because its final slash counts", async () => {
    expect(await oidc(", role_claim: roles")).toBe("accepted")
    expect((await load()).settings.admin.oidc).toMatchObject({ issuer: "https://id.example.com/", allowedDomains: [] })
    expect(await oidc(", default_role: viewer, allowed_domains: [example.com]")).toBe("accepted")
  })

  test.each([
    ["without any role, because nobody could sign in", "", /admin\.oidc\.default_role.*nobody/],
    ["that gives everybody a role", "default_role: viewer", /admin\.oidc\.allowed_domains.*everybody/],
    ["without a client id", "role_claim: roles, client_id: ''", /admin\.oidc\.client_id.*needed/],
    [
      "over http to another machine",
      "role_claim: roles, issuer: 'http://id.example.com'",
      /admin\.oidc\.issuer.*https/,
    ],
    ["whose issuer is no address", "role_claim: roles, issuer: 'id.example.com'", /admin\.oidc\.issuer.*https/],
  ])("is rejected %s", async (_title, more, message) => {
    const issuer = more.includes("issuer") ? "" : "issuer: 'https://id.example.com'"
    const id = more.includes("client_id") ? "" : "client_id: gateway"
    put("majordomo.yaml", `admin: { oidc: { ${[issuer, id, more].filter((each) => each !== "").join(", ")} } }`)
    expect(await errorOf()).toMatch(message)
  })

  test.each(["auto", 4])("server.workers may be %s", async (workers) => {
    put("majordomo.yaml", `server: {workers: ${workers}}`)
    expect((await load()).settings.server.workers).toBe(workers)
  })
})

describe("admin.oidc", () => {
  const oidc = (more: string) => {
    put("majordomo.yaml", `admin: { oidc: { issuer: "https://id.example.com/", client_id: gateway${more} } }`)
    return errorOf()
  }

  test("keeps the issuer as it is written, because its final slash counts", async () => {
    expect(await oidc(", role_claim: roles")).toBe("accepted")
    expect((await load()).settings.admin.oidc).toMatchObject({ issuer: "https://id.example.com/", allowedDomains: [] })
    expect(await oidc(", default_role: viewer, allowed_domains: [example.com]")).toBe("accepted")
  })

  test.each([
    ["without any role, because nobody could sign in", "", /admin\.oidc\.default_role.*nobody/],
    ["that gives everybody a role", "default_role: viewer", /admin\.oidc\.allowed_domains.*everybody/],
    ["without a client id", "role_claim: roles, client_id: ''", /admin\.oidc\.client_id.*needed/],
    [
      "over http to another machine",
      "role_claim: roles, issuer: 'http://id.example.com'",
      /admin\.oidc\.issuer.*https/,
    ],
    ["whose issuer is no address", "role_claim: roles, issuer: 'id.example.com'", /admin\.oidc\.issuer.*https/],
  ])("is rejected %s", async (_title, more, message) => {
    const base = more.includes("issuer") ? "" : ', issuer: "https://id.example.com"'
    const id = more.includes("client_id") ? "" : ", client_id: gateway"
    const rest = more === "" ? "" : `, ${more}`
    put("majordomo.yaml", `admin: { oidc: { allowed_domains: []${base}${id}${rest} } }`)
    expect(await errorOf()).toMatch(message)
  })
})

describe("warnings", () => {
  test("settings and variables of the Go gateway", async () => {
    put("majordomo.yaml", "jwt: {secret: x}\nmetadata: {hll_flush_interval: 60s, max_keys: 5}\n")
    const { settings, warnings } = await load({ env: { MAJORDOMO_CORS_ALLOWED_ORIGINS: "*" } })
    expect(settings.metadata.maxKeys).toBe(5)
    expect(warnings).toEqual([
      "jwt (majordomo.yaml) is a setting of the Go gateway and has no effect here: use the command `keys`",
      "metadata.hll_flush_interval (majordomo.yaml) is a setting of the Go gateway and has no effect here: values are counted exactly",
      "MAJORDOMO_CORS_ALLOWED_ORIGINS is a setting of the Go gateway and has no effect here: use server.cors_origins",
    ])
  })

  test("[U7] a configuration file of the Go gateway, of any version, never stops the program", async () => {
    put(
      "majordomo.yaml",
      `gcs: {enabled: false, bucket: '', credentials_file: '', endpoint: ''}
body_store: {backend: none, s3_bucket: ''}
admin: {token: ''}
logging: {level: info, body_storage: gcs, max_request_body_size: 1}
pricing: {deprecated_models_file: ./x.json}
providers: {openai: {base_url: 'https://api.openai.com'}, azure: {base_url: '', region: eastus}, bedrock: {region: us-east-1}, fireworks: {base_url: 'https://api.fireworks.ai/inference'}}
storage: {driver: postgres, postgres: {user: '', password: '', sslmode: disable}}
`,
    )
    const { settings, warnings } = await load({ env: { MAJORDOMO_GCS_BUCKET: "b" } })
    expect(Object.keys(settings.providers)).not.toContain("azure")
    expect(settings.logging.bodyStorage).toBe("none")
    expect(settings.providers["bedrock"]?.baseUrl).toBe("https://bedrock-runtime.us-east-1.amazonaws.com")
    expect(warnings).toHaveLength(9)
    expect(warnings.every((line) => /has no effect/.test(line))).toBe(true)
    expect(warnings).toContain(
      "providers.fireworks (majordomo.yaml) has no effect: it needs a format too, such as providers.fireworks.format: openai",
    )
  })

  test.each(["short", "with a space in the middle"])("an admin token that is %j is left out", async (token) => {
    const { settings, warnings } = await load({ env: { ADMIN_TOKEN: token } })
    expect(settings.admin.token).toBeUndefined()
    expect(warnings).toEqual(["ADMIN_TOKEN has no effect: it needs at least 16 characters, and no spaces"])
  })

  test("the variables of billing credentials are read, unless their settings are set", async () => {
    const env = {
      OPENAI_ADMIN_KEY: "sk-admin-one",
      ANTHROPIC_ADMIN_KEY: "sk-ant-admin-two",
      OPENROUTER_PROVISIONING_KEY: "",
    }
    put("majordomo.yaml", "reconcile: {openai: {admin_key: sk-admin-file, keys: {key_ABC: team-a}}}")
    const { settings, sources } = await load({ env })
    const { openai, anthropic, openrouter } = settings.reconcile
    expect(openai).toMatchObject({ adminKey: "sk-admin-file", keys: { key_ABC: "team-a" } })
    expect(anthropic.adminKey).toBe("sk-ant-admin-two")
    expect(openrouter.provisioningKey).toBeUndefined()
    expect(sources["reconcile.anthropic.admin_key"]).toBe("ANTHROPIC_ADMIN_KEY")
    expect(await errorOf({ env: { ANTHROPIC_ADMIN_KEY: "two words" } })).toBe(
      "reconcile.anthropic.admin_key (ANTHROPIC_ADMIN_KEY): expected a name without spaces, got another value (not shown)",
    )
  })

  test.each([
    ["1% or $1", { share: "0.01", usd: "1" }],
    ["$0.50 or 0.5 %", { share: "0.005", usd: "0.50" }],
    ["2.5%", { share: "0.025", usd: "0" }],
    ["$10", { share: "0", usd: "10" }],
  ])("reconcile.alert_above can be %s", async (text, expected) => {
    const env = { MAJORDOMO_RECONCILE_ALERT_ABOVE: text }
    expect((await load({ env })).settings.reconcile.alertAbove).toEqual(expected)
  })

  test.each(["", "1", "1% or 2%", "$1 and 1%", "-1%", "1% or"])("reconcile.alert_above cannot be %j", async (text) => {
    expect(await errorOf({ env: { MAJORDOMO_RECONCILE_ALERT_ABOVE: text } })).toContain(
      "reconcile.alert_above (MAJORDOMO_RECONCILE_ALERT_ABOVE): expected a percentage, an amount, or both",
    )
  })

  test("ADMIN_TOKEN is admin.token, unless that is set", async () => {
    const env = { ADMIN_TOKEN: "of-the-go-gateway" }
    expect((await load({ env })).settings.admin.token).toBe("of-the-go-gateway")
    expect((await load({ env: { ...env, MAJORDOMO_ADMIN_TOKEN: "of-this-gateway-1" } })).settings.admin.token).toBe(
      "of-this-gateway-1",
    )
  })

  test("a second file in the working directory", async () => {
    put("majordomo.yaml", "server: {port: 1}")
    put("majordomo.json", "{}")
    expect((await load()).warnings).toEqual(["majordomo.json is ignored because majordomo.yaml is read"])
  })

  test("variables that Kubernetes sets for a Service named majordomo are ignored", async () => {
    const env = {
      MAJORDOMO_SERVICE_HOST: "10.0.0.1",
      MAJORDOMO_SERVICE_PORT: "7680",
      MAJORDOMO_PORT: "tcp://10.0.0.1:7680",
      MAJORDOMO_PORT_7680_TCP_ADDR: "10.0.0.1",
      MAJORDOMO_SERVER_PORT: "tcp://10.0.0.1:7680",
      MAJORDOMO_API_KEY: "mdm_sk_x",
    }
    expect((await load({ env })).settings.server.port).toBe(7680)
    expect(await errorOf({ env: { MAJORDOMO_PORT: "7680" } })).toContain(
      "MAJORDOMO_PORT (environment): unknown setting",
    )
  })
})
