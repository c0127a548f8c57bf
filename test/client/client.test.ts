import { readFileSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { writeTypes } from "../../build/types.ts"
import { type Majordomo, type MajordomoOptions, majordomo, type Tags } from "../../src/client/index.ts"

beforeEach(() => {
  vi.stubEnv("MAJORDOMO_API_KEY", "mdm_sk_test")
  vi.stubEnv("MAJORDOMO_GATEWAY_URL", "")
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe("majordomo()", () => {
  test("reads MAJORDOMO_GATEWAY_URL and MAJORDOMO_API_KEY, unless the options are given in code", () => {
    vi.stubEnv("MAJORDOMO_GATEWAY_URL", "https://llm.example.com/gateway/")
    expect(majordomo()).toMatchObject({
      url: "https://llm.example.com/gateway",
      headers: { "X-Majordomo-Key": "mdm_sk_test" },
    })
    const { url, headers } = majordomo({ url: "http://10.0.0.7:7680", apiKey: "mdm_sk_other" })
    expect(url).toBe("http://10.0.0.7:7680")
    expect(headers).toEqual({ "X-Majordomo-Key": "mdm_sk_other" })
  })

  test("uses the gateway on this machine if no URL is given", () => {
    expect(majordomo().url).toBe("http://localhost:7680")
  })

  test("names the missing environment variable if there is no key", () => {
    vi.stubEnv("MAJORDOMO_API_KEY", "")
    expect(() => majordomo()).toThrow(new Error("MAJORDOMO_API_KEY environment variable is required"))
  })

  test("sends each tag as a header, and no header for a tag that is undefined", () => {
    const { headers } = majordomo({
      feature: "chat-bot",
      step: "answer",
      userId: "42",
      sessionId: "s-1",
      metadata: { Team: "search", Attempt: 2, Trial: false, Nothing: undefined },
      provider: "groq",
      providerAlias: "team-a",
    })
    expect(headers).toEqual({
      "X-Majordomo-Key": "mdm_sk_test",
      "X-Majordomo-Feature": "chat-bot",
      "X-Majordomo-Step": "answer",
      "X-Majordomo-User-Id": "42",
      "X-Majordomo-Session-Id": "s-1",
      "X-Majordomo-Team": "search",
      "X-Majordomo-Attempt": "2",
      "X-Majordomo-Trial": "false",
      "X-Majordomo-Provider": "groq",
      "X-Majordomo-Provider-Alias": "team-a",
    })
  })

  test("with() adds tags and does not change the original", () => {
    const gateway = majordomo({ feature: "chat-bot", metadata: { Team: "search" } })
    const tags: Tags = { step: "rank", metadata: { Trial: true } }
    const call: Majordomo = gateway.with(tags)
    expect(call.openai.defaultHeaders).toEqual({
      "X-Majordomo-Key": "mdm_sk_test",
      "X-Majordomo-Feature": "chat-bot",
      "X-Majordomo-Step": "rank",
      "X-Majordomo-Team": "search",
      "X-Majordomo-Trial": "true",
    })
    expect(gateway.headers).not.toHaveProperty("X-Majordomo-Step")
  })

  test("gives each SDK the base URL to which it adds its paths", () => {
    const { openai, anthropic, google, vercel } = majordomo({ url: "http://gw" })
    expect(openai.baseURL).toBe("http://gw/v1")
    expect(anthropic.baseURL).toBe("http://gw")
    expect(google.httpOptions.baseUrl).toBe("http://gw")
    expect([vercel.openai.baseURL, vercel.anthropic.baseURL, vercel.google.baseURL]).toEqual([
      "http://gw/v1",
      "http://gw/v1",
      "http://gw/v1beta",
    ])
  })

  test("sends a value in any script as its UTF-8 bytes, one character for each", () => {
    const sent = majordomo({ userId: "Zoë 北京" }).headers["X-Majordomo-User-Id"]!
    expect(Buffer.from(sent, "latin1").toString("utf8")).toBe("Zoë 北京")
    expect(() => new Headers({ a: sent })).not.toThrow()
  })

  test.each<[MajordomoOptions, string]>([
    [{ userId: "a\nX-Evil: 1" }, "the value of User-Id contains a line break or another control character"],
    [{ metadata: { "User Name": "x" } }, 'metadata: a name may contain letters, digits and hyphens, got "User Name"'],
    [{ metadata: { Key: "x" } }, "metadata: X-Majordomo-Key is reserved; choose another name"],
    [{ metadata: { Provider: "x" } }, "metadata: X-Majordomo-Provider is reserved; choose another name"],
    [{ url: "localhost:7680" }, 'url: expected a URL such as http://localhost:7680, got "localhost:7680"'],
  ])("throws for options that cannot be sent: %j", (options, message) => {
    expect(() => majordomo(options)).toThrow(new Error(message))
  })

  test("has types that can be written from its file alone", () => {
    const file = `${import.meta.dirname}/../../node_modules/.cache/client-${process.pid}.d.mts`
    writeTypes("src/client/index.ts", file)
    expect(readFileSync(file, "utf8")).toContain("export declare function majordomo(")
  })
})
