import { expect, test } from "vitest"
import { createAttribution } from "../../src/gateway/attribution/attribute.ts"
import { createCounters } from "../../src/gateway/counters.ts"
import { readRequest } from "../../src/providers/_request.ts"

const NAMES = [
  "user-agent",
  "traceparent",
  "baggage",
  "session_id",
  "x-title",
  "x-cursor-client-version",
  "x-openwebui-user-id",
]
const MEMBERS = ["user", "safety_identifier", "metadata", "labels", "conversation", "session_id", "prompt_cache_key"]
const PIECES = [
  ...'{}[]"\\,:;=%/-_ \u0000\n\u007f\ud800é🎉',
  "user_",
  "_session_",
  "_account_",
  "sk-",
  "null",
  "00-",
  "user.id=",
  "a",
  "1",
  "%E9",
]

/** A pseudo-random sequence, so that a failure can be repeated. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test("attribution reads any head and any body without an error, into bounded text, and changes neither", () => {
  const random = createRandom(20261128)
  const text = () => Array.from({ length: random(40) }, () => PIECES[random(PIECES.length)]!).join("")
  const settings = {
    attribution: { client: true, user: true, session: true, trace: true },
    maxMetadataKeys: 32,
    maxMetadataValueLength: 20,
  }
  const attribute = createAttribution(settings, createCounters())
  const values = [text, () => ({ user_id: text(), session_id: text() }), () => [text()], () => null, () => random(9)]
  for (let round = 0; round < 5000; round++) {
    const headers = Object.fromEntries(NAMES.filter(() => random(2) === 0).map((name) => [name, text()]))
    const members = Object.fromEntries(MEMBERS.map((name) => [name, values[random(values.length)]!()]))
    const whole = random(4) === 0 ? text() : JSON.stringify({ model: "m", ...members })
    const body = Buffer.from(random(3) === 0 ? whole.slice(0, random(whole.length + 1)) : whole)
    const before = [JSON.stringify(headers), body.toString("hex")]
    const { attribution } = readRequest({ headers, body } as unknown as Parameters<typeof readRequest>[0])
    const metadata = attribute({ rawHeaders: Object.entries(headers).flat(), headers }, attribution, undefined)
    for (const value of Object.values(metadata)) {
      expect(value).not.toMatch(/[\p{Cc}\p{Cs}]/u)
      expect(value.length).toBeLessThanOrEqual(20)
    }
    expect([JSON.stringify(headers), body.toString("hex")]).toEqual(before)
  }
})
