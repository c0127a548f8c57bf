import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { expect, test } from "vitest"
import { listRows } from "../../src/config/rows.ts"
import { CommandError } from "../../src/core/errors.ts"
import { type Reading, toTokenTotals } from "../../src/core/usage.ts"
import { replaceUnstorable } from "../../src/database/ledger/unstorable.ts"
import { readMetadata } from "../../src/gateway/metadata.ts"
import { DIALECTS } from "../../src/providers/catalog.ts"
import { loadSettings } from "../../src/server/settings.ts"
import type { Random } from "../providers/_random.ts"
import { openMeter } from "../support/meter.ts"
import { fuzz, mutate, TIMEOUT_MS } from "./_fuzz.ts"

interface Fixture {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly contentType: string
  readonly request?: string
  readonly complete?: false
  readonly body: readonly string[]
}
type Format = keyof typeof DIALECTS

const FORMATS = ["openai", "anthropic", "gemini"] as const
const ALL = FORMATS.flatMap((format) => {
  const directory = new URL(`../fixtures/${format}/`, import.meta.url)
  return readdirSync(directory).map((file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, directory), "utf8")) as Fixture
    return { format, file, fixture, text: fixture.body.join("\n") }
  })
})

function read(format: Format, fixture: Fixture, pieces: readonly Buffer[]): Reading | undefined {
  const { method, path, status, contentType } = fixture
  const head = { statusCode: status, contentType }
  const exchange = {
    provider: "test",
    method,
    path,
    query: "",
    headers: {},
    host: "x",
    body: Buffer.from(fixture.request ?? ""),
  }
  const meter = openMeter(DIALECTS[format], exchange, head)
  for (const piece of pieces) meter?.push(Buffer.from(piece))
  return meter?.end({ complete: fixture.complete !== false })
}

/** Removes the text that the tokenizer will count, because it can be stored in different pieces. */
function comparable(reading: Reading | undefined) {
  return reading && { ...reading, countable: undefined }
}

function split(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const most = random.one([2, 9, 60, 400])
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + random.below(most))
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

test(
  "[FUZ-03] [SSE-02] recorded streams that are split anywhere, any number of times, give the same reading",
  async () => {
    const whole = new Map(ALL.map((each) => [each, read(each.format, each.fixture, [Buffer.from(each.text)])]))
    await fuzz("splits", (random) => {
      const each = random.one(ALL)
      const reading = read(each.format, each.fixture, split(random, Buffer.from(each.text)))
      if (!isDeepStrictEqual(reading, whole.get(each))) {
        expect(comparable(reading), each.file).toEqual(comparable(whole.get(each)))
      }
    })
  },
  TIMEOUT_MS,
)

const JSON_WORDS = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  ",",
  "\\",
  "\\u0000",
  "\\ud800",
  "null",
  "true",
  "-1",
  "1e999",
  "-1e999",
  "9007199254740993",
  "1.5",
  '"12"',
  "[[[[[[[[",
  '"usage":',
  '"prompt_tokens":',
  '"input_tokens":',
  '"cached_tokens":',
  '"usageMetadata":',
  '"promptTokenCount":',
  '"__proto__":',
  "\n\n",
  "\r\n",
  "data: ",
  "event: x\n",
]

test(
  "[DAT-17] [DAT-06] damaged responses and usage objects never make the reader throw, and all counts are non-negative integers",
  async () => {
    await fuzz("usage", (random) => {
      const each = random.one(ALL)
      const text = mutate(random, each.text, JSON_WORDS, 6)
      const fixture = random.below(4) === 0 ? { ...each.fixture, complete: false as const } : each.fixture
      const reading = read(
        random.below(5) === 0 ? random.one(FORMATS) : each.format,
        fixture,
        split(random, Buffer.from(text, "latin1")),
      )
      if (reading === undefined) return
      for (const count of Object.values(toTokenTotals(reading.parts))) {
        if (!(Number.isSafeInteger(count) && count >= 0)) throw new Error(`${each.file} gives ${count} tokens`)
      }
      JSON.stringify(reading)
    })
  },
  TIMEOUT_MS,
)

test(
  "[LIM-06] [DAT-18] metadata with any names and bytes is bounded and storable, has only own properties, and never throws",
  async () => {
    const limits = { maxKeys: 5, maxValueLength: 40 }
    await fuzz("metadata", (random) => {
      const word = (most: number) =>
        Array.from({ length: random.below(most) }, () => String.fromCharCode(random.below(256))).join("")
      const names = ["__proto__", "constructor", "User-Id", "user-id", "", "-", "--a", "a_b", "KEY", "x".repeat(300)]
      const raw = Array.from({ length: random.below(12) }, () => [
        `${random.one(["X-Majordomo-", "x-majordomo-", "X-MAJORDOMO-", "X-Majordomo_", "Accept"])}${random.one([...names, word(9)])}`,
        random.one([word(60), "\u00f0\u009f\u0098\u0080".repeat(20), "a\0b"]),
      ]).flat()
      const metadata = readMetadata(raw, limits)
      const entries = Object.entries(metadata)
      if (entries.length > limits.maxKeys) throw new Error("too many names")
      for (const [name, value] of entries) {
        if (value.length > limits.maxValueLength || name.length > 128) throw new Error("too long")
      }
      const stored = replaceUnstorable(JSON.stringify({ raw_metadata: metadata }))
      JSON.parse(stored)
      if (stored.includes("\\u0000")) throw new Error("U+0000 is not removed")
      if (({} as Record<string, unknown>)["User-Id"] !== undefined) throw new Error("polluted")
    })
  },
  TIMEOUT_MS,
)

test(
  "[FUZ-07] any configuration is accepted, or rejected with a message that contains no stack and no secrets",
  async () => {
    const cwd = mkdtempSync(join(tmpdir(), "mdm-fuzz-config-"))
    const paths = listRows().map(({ path }) => path)
    const values = [
      "",
      "0",
      "-1",
      "1e99",
      "true",
      "x",
      "30s",
      "10MB",
      "[1]",
      '{"a":1}',
      "http://u:swordfish@h",
      "\0",
      "\ud800",
      "auto",
      "postgres",
      "*",
      "null",
      "9".repeat(400),
    ]
    const yaml =
      "server: {port: 7680, host: 127.0.0.1}\nstorage:\n  postgres: {password: swordfish, url: postgres://u:swordfish@h/d}\nproviders: {groq: {format: openai, base_url: https://x.example}}\n"
    await fuzz("config", async (random) => {
      const env: Record<string, string> = {}
      for (let i = random.below(5); i > 0; i--) {
        const path = random.one(paths).replaceAll(".", "_").toUpperCase()
        env[`MAJORDOMO_${mutateSome(random, path)}`] = random.one(values)
      }
      // Files are slower to read than environment variables, so there are fewer of them.
      const configFile = random.below(10) === 0 ? join(cwd, "majordomo.yaml") : undefined
      if (configFile)
        writeFileSync(
          configFile,
          mutate(random, yaml, [
            ": ",
            "- ",
            "&a",
            "*a",
            "!!js",
            "{",
            "}",
            "[",
            "\t",
            "'",
            "<<",
            "__proto__: ",
            "|",
            "\0",
          ]),
        )
      try {
        await loadSettings({ cwd: join(cwd, "none"), env, configFile, systemFile: join(cwd, "none.yaml") })
      } catch (error) {
        if (!(error instanceof CommandError)) throw error
        if (/:swordfish@|got [^;\n]*swordfish|\bat .*:\d+:\d+/.test(error.message))
          throw new Error(`the message reveals too much: ${error.message}`)
      }
    })
    rmSync(cwd, { recursive: true })
  },
  TIMEOUT_MS,
)

function mutateSome(random: Random, text: string): string {
  return random.below(3) === 0 ? mutate(random, text, ["_", "__", "A", "PROTO"], 1) : text
}
