import { readdirSync, readFileSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { describe, expect, it } from "vitest"
import { isSecretName } from "../../src/core/secrets.ts"
import { NO_READING, NO_USAGE, type Part, type Reading } from "../../src/core/usage.ts"
import type { Dialect, ProviderRequest } from "../../src/providers/_dialect.ts"
import type { JobSighting, JobSink } from "../../src/providers/_jobs.ts"

interface Fixture {
  readonly about: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly contentType: string
  /** Headers of the answer that the dialect reads. */
  readonly headers?: Readonly<Record<string, string>>
  readonly request?: string
  readonly complete?: false
  /** The lines of the answer. */
  readonly body: readonly string[]
  /** Buckets and members that are left out are empty. */
  readonly expected: Partial<Omit<Reading, "parts">> & { readonly parts: readonly Partial<Part>[] }
  /** What the answer says about jobs. Of a reading, `input`, `output` and `tier` are compared. */
  readonly jobs?: readonly Record<string, unknown>[]
}

/**
 * The contract of every dialect: each answer of `test/fixtures/NAME` is read as expected, however its bytes arrive, and
 * no credential of the dialect can be stored.
 */
export function describeProvider(name: string, dialect: Dialect): void {
  describe(`${name}: credentials`, () => {
    it("stand in places whose names are known as secret", () => {
      const names = dialect.credentials.map((place) => {
        if ("subprotocol" in place) return place.subprotocol
        return "header" in place ? place.header : place.query
      })
      expect(names.filter((name) => !isSecretName(name))).toEqual([])
    })
  })
  describe(`${name}: its answers are read as they are billed`, () => {
    const directory = new URL(`../fixtures/${name}/`, import.meta.url)
    for (const file of readdirSync(directory).sort()) {
      const fixture = JSON.parse(readFileSync(new URL(file, directory), "utf8")) as Fixture
      it(`${file.replace(".json", "")}: ${fixture.about}`, () => {
        const right = expected(fixture)
        for (const [how, pieces] of arrivals(fixture)) {
          const reading = read(dialect, fixture, pieces)
          // There are thousands of cuts, so the slow comparison that explains itself is made only for a wrong one.
          if (!isDeepStrictEqual(reading, right)) expect(reading, how).toEqual(right)
        }
        expect(read(dialect, fixture, [Buffer.from(fixture.body.join("\n"))])).toEqual(right)
      })
      it(`${file.replace(".json", "")}: what it says about jobs`, () => {
        for (const [how, pieces] of arrivals(fixture)) {
          const sightings: JobSighting[] = []
          read(dialect, fixture, pieces, { onJob: (sighting) => void sightings.push(sighting) })
          const plain = sightings.map(toPlain)
          if (!isDeepStrictEqual(plain, fixture.jobs ?? [])) expect(plain, how).toEqual(fixture.jobs ?? [])
        }
      })
    }
  })
}

function arrivals(fixture: Fixture): [string, Buffer[]][] {
  const text = fixture.body.join("\n")
  const bytes = Buffer.from(text)
  const forms: [string, Buffer[]][] = [
    ["whole", [bytes]],
    ["byte by byte", Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))],
    ["with CRLF", [Buffer.from(text.replaceAll("\n", "\r\n"))]],
    ["with CRLF, byte by byte", Array.from(Buffer.from(text.replaceAll("\n", "\r\n")), (byte) => Buffer.from([byte]))],
    ["after a byte order mark", [Buffer.from(`\uFEFF${text}`)]],
    ["after a byte order mark, byte by byte", Array.from(Buffer.from(`\uFEFF${text}`), (byte) => Buffer.from([byte]))],
  ]
  for (let cut = 1; cut < bytes.length; cut++) {
    forms.push([`cut at ${cut}`, [bytes.subarray(0, cut), bytes.subarray(cut)]])
  }
  if (!fixture.contentType.startsWith("text/event-stream")) return forms
  return [
    ...forms,
    ["with comments", [Buffer.from(text.replace(/^data:/gm, ": keep-alive\n\n: x\ndata:"))]],
    ["with ids and retries", [Buffer.from(text.replace(/^data:/gm, "id: 1\nretry: 5\ndata:"))]],
    ["without the space", [Buffer.from(text.replace(/^data: /gm, "data:"))]],
    ["with data on several lines", [Buffer.from(text.replace(/^(data: \{)/gm, "$1\ndata: "))]],
    ["without the last line end", [Buffer.from(text.trimEnd())]],
    ["called JSON", [bytes]],
  ]
}

function toPlain(sighting: JobSighting): Record<string, unknown> {
  if (!("reading" in sighting)) return { ...sighting }
  const { reading, ...key } = sighting
  const { input, output } = reading.parts[0]?.usage ?? NO_USAGE
  return JSON.parse(JSON.stringify({ ...key, input, output, tier: reading.tier, free: reading.free || undefined }))
}

function read(dialect: Dialect, fixture: Fixture, pieces: readonly Buffer[], sink?: JobSink): Reading {
  const request: ProviderRequest = {
    provider: "test",
    method: fixture.method,
    path: fixture.path,
    query: "",
    headers: { "content-type": "application/json" },
    body: Buffer.from(fixture.request ?? ""),
    host: "provider.test",
  }
  const head = { statusCode: fixture.status, contentType: fixture.contentType }
  const meter = dialect.createMeter(
    request,
    dialect.framing(request, head),
    sink,
    Object.entries(fixture.headers ?? {}).flat(),
  )
  for (const piece of pieces) {
    // The caller may reuse the bytes of a stream afterwards.
    const copy = Buffer.from(piece)
    meter?.push(copy)
    if (fixture.contentType.startsWith("text/event-stream")) copy.fill(0)
  }
  const {
    raw,
    countable: _,
    ...reading
  } = meter?.end({ complete: fixture.complete !== false }) ?? {
    ...NO_READING,
    free: dialect.isFree(request),
  }
  if (JSON.stringify(raw ?? null).length > 4096) throw new Error("raw is not bounded")
  if (reading.source === "reported" && !raw) throw new Error("raw is missing")
  return { ...reading, raw: undefined }
}

function expected({ expected }: Fixture): Reading {
  const parts = expected.parts.map(
    (part) => ({ model: undefined, ...part, usage: { ...NO_USAGE, ...part.usage } }) as Part,
  )
  return { ...NO_READING, ...expected, parts }
}
