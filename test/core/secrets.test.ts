import { describe, expect, test } from "vitest"
import { isSecretValue, redactSecrets, redactSecretValues } from "../../src/core/secrets.ts"

const CREDENTIALS = [
  "ghp_0123456789abcdefghijABCDEFGHIJ012345",
  "gho_0123456789abcdefghijABCDEFGHIJ012345",
  "github_pat_11ABCDEFG0123456789_abcdef",
  "glpat-0123456789abcdefghij",
  "AKIAIOSFODNN7EXAMPLE",
  "ASIAIOSFODNN7EXAMPLE",
  "sk-proj-0123456789abcdefghij",
  "sk-ant-api03-0123456789abcdef",
  "AIzaSyA0123456789abcdefghijklmnopqrstuv",
  "ya29.a0AfH6SMB0123456789",
  "xoxb-123456789012-abcdefghij",
  "xoxp-1234567890-abcdef",
  "hf_0123456789abcdefghijABCDEFGHIJ",
  "gsk_0123456789abcdefghijABCDEFGHIJ",
  "npm_0123456789abcdefghijABCDEFGHIJ",
  "mdm_sk_0123456789abcdefghijABCDEFGHIJ",
  "mdm_admin_0123456789abcdefghijABCDEFGHIJ",
  "csk-0123456789abcdefghijABCDEFGHIJ",
  "fw_0123456789abcdefghijABCD",
  "GOCSPX-0123456789abcdefghijABCD",
  "AQ.Ab8RN6K0123456789abcdefghij",
  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
]

describe("[S13] one list says what a credential looks like", () => {
  test.each(CREDENTIALS)("%s is redacted in text, and is a secret value", (credential) => {
    expect(redactSecrets(`Incorrect token ${credential} was given.`)).toBe("Incorrect token *** was given.")
    expect(redactSecretValues(`got ${credential}, which`)).toBe("got ***, which")
    expect(isSecretValue(credential)).toBe(true)
  })

  test("the user name and the password of a URL are redacted, and its host is not", () => {
    const text = "cannot reach postgres://admin:hunter2-x@db.internal:5432/majordomo and http://u:p@proxy:3128"
    expect(redactSecrets(text)).toBe("cannot reach postgres://***@db.internal:5432/majordomo and http://***@proxy:3128")
    expect(redactSecrets("failed for admin:hunter2@db.internal")).toBe("failed for ***@db.internal")
    expect(isSecretValue("https://u:p@host/")).toBe(true)
  })

  test.each([
    "The model gpt-4o does not exist at 12:30:05.",
    "connect ECONNREFUSED 127.0.0.1:5432",
    "see https://platform.openai.com/docs/guides/error-codes: rate limits",
    "postgres://localhost:5432/majordomo",
    "expected a connection string such as postgres://user:password@host:5432/database",
    "mailto of ada@example.com: unknown",
    "task-1234567890abcdefghijk failed",
  ])("ordinary text stays as it is: %s", (text) => {
    expect(redactSecrets(text)).toBe(text)
    expect(redactSecretValues(text)).toBe(text)
    expect(isSecretValue(text)).toBe(false)
  })

  test("a private key is redacted to its end", () => {
    const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\n-----END RSA PRIVATE KEY-----"
    expect(redactSecretValues(`cannot parse ${key}`)).toBe("cannot parse ***-----END RSA PRIVATE KEY-----")
  })

  test("a JSON Web Token behind a word is redacted with that word", () => {
    const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
    expect(redactSecrets(`token=${token} id-${token}`)).toBe("token=*** ***")
    expect(isSecretValue("eyJhbGciOiJIUzI1NiJ9.not.one")).toBe(false)
  })

  const PARTS = [
    "://",
    "a.",
    "a:",
    "sk-",
    "eyJ",
    "-eyJ",
    "bearer ",
    "x@",
    "a:b",
    "key",
    "eyJaaaaaaaa.",
    "-",
    "-----BEGIN ",
    "AQ.",
  ]
  const PAIRS = PARTS.flatMap((first) => PARTS.map((second) => first + second))
  test("64 KiB of whatever parts a credential can have are searched in time that grows with the length only", () => {
    let slowest = { part: "", ms: 0 }
    for (const part of [...PARTS, ...PAIRS]) {
      const text = part.repeat(65_536 / part.length)
      const started = process.cpuUsage()
      isSecretValue(text)
      redactSecrets(text)
      const { user, system } = process.cpuUsage(started)
      const ms = (user + system) / 1000
      if (ms > slowest.ms) slowest = { part, ms }
    }
    // The time of a search that is quadratic: 2.7 s.
    expect(slowest.ms, slowest.part).toBeLessThan(1000)
  })
})
