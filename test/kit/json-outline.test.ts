import { expect, test } from "vitest"
import { findMembers, MemberNames, memberValue } from "../../src/kit/json/members.ts"
import { JsonOutline } from "../../src/kit/json/outline.ts"
import { createRandom, type Random } from "../providers/_random.ts"

const NAMES = ["model", "stream", "stream_options", "max_tokens"]
const MEMBERS = new MemberNames(NAMES)

function outlineOf(bytes: Buffer, splits: (length: number) => number): JsonOutline {
  const outline = new JsonOutline()
  for (let at = 0; at < bytes.length; ) {
    const end = at + splits(bytes.length - at)
    outline.push(bytes.subarray(at, end))
    at = end
  }
  return outline
}

/** Returns the members that are found in the outline, with their positions in the whole body. */
function viaOutline(bytes: Buffer, splits: (length: number) => number) {
  const outline = outlineOf(bytes, splits)
  const seen = outline.bytes()
  const members = findMembers(seen, MEMBERS)
  if (!members) return undefined
  const found = Object.entries(members.found).map(([name, { keyStart, start, end }]) => [
    name,
    outline.toOffset(keyStart),
    outline.toOffset(start),
    end === seen.length ? bytes.length : outline.toOffset(end),
    memberValue(seen, members.found[name]),
  ])
  return { found, open: outline.toOffset(members.open), isClosed: members.close >= 0, empty: members.empty }
}

function directly(bytes: Buffer) {
  const members = findMembers(bytes, MEMBERS)
  if (!members) return undefined
  const found = Object.entries(members.found).map(([name, member]) => [
    name,
    member.keyStart,
    member.start,
    member.end,
    memberValue(bytes, member),
  ])
  return { found, open: members.open, isClosed: members.close >= 0, empty: members.empty }
}

function randomText(random: Random): string {
  const unit = random.one(["a", "\\", '"', "{", "]", ",", ":", "é", "\u0001", '\\"', "x y "])
  return unit.repeat(random.below(random.one([3, 60, 5000, 30_000])))
}

function randomValue(random: Random, depth: number): unknown {
  const kind = random.below(depth > 3 ? 4 : 7)
  if (kind < 2) return randomText(random)
  if (kind === 2) return random.below(1e9)
  if (kind === 3) return random.one([true, false, null])
  const list = Array.from({ length: random.below(random.one([4, 4, 4, 60])) }, () => randomValue(random, depth + 1))
  return kind === 4 ? list : Object.fromEntries(list.map((value, i) => [random.one([...NAMES, `k${i}`]), value]))
}

test("members are found in the outline where they are in the whole body, whatever it contains and however its pieces arrive", () => {
  const random = createRandom(20_261_121)
  let longest = 0
  for (let n = 0; n < 400; n++) {
    const object = Object.fromEntries(
      Array.from({ length: random.below(8) }, (_, i) => [
        random.one([...NAMES, `k${i}`, randomText(random)]),
        random.one([true, "gpt-4o", 7, { include_usage: null }, randomValue(random, 0), randomValue(random, 0)]),
      ]),
    )
    let bytes = Buffer.from(JSON.stringify(object, undefined, random.one([0, 1])))
    if (random.below(5) === 0) bytes = bytes.subarray(0, random.below(bytes.length + 1))
    const whole = directly(bytes)
    longest = Math.max(longest, bytes.length)
    const most = random.one([1, 7, 100, 4096, 65_536, 1e9])
    // Only a short body is split byte by byte.
    const splits = (left: number) =>
      bytes.length > 100_000 && most < 100 ? 4096 : Math.min(left, 1 + random.below(most))
    expect(viaOutline(bytes, splits), `of ${bytes.length} bytes, input ${n}`).toEqual(whole)
  }
  expect(longest).toBeGreaterThan(1_000_000)
})

test.each([
  ["a text", `{"stream":true,"prompt":"${"x".repeat(20_000_000)}","model":"m"}`],
  ["escapes only", `{"stream":true,"prompt":"${"\\\\".repeat(5_000_000)}","model":"m"}`],
  ["many texts", `{"stream":true,"messages":[${'{"content":"hi"},'.repeat(1_000_000)}0],"model":"m"}`],
  ["numbers", `{"stream":true,"input":[${"12345,".repeat(1_000_000)}0],"model":"m"}`],
  ["brackets", `{"stream":true,"input":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)},"model":"m"}`],
])("the outline of a large body is small: %s", (_, text) => {
  const bytes = Buffer.from(text)
  const outline = outlineOf(bytes, (left) => Math.min(left, 65_536))
  expect(outline.bytes().length).toBeLessThan(1_200_000)
  expect(viaOutline(bytes, (left) => Math.min(left, 65_536))).toEqual(directly(bytes))
})

test("a body that is too long for an outline has an empty one, because its end might contradict its beginning", () => {
  const bytes = Buffer.from(`{"model":"cheap",${'"k":0,'.repeat(200_000)}"model":"dear"}`)
  expect(outlineOf(bytes, (left) => Math.min(left, 65_536)).bytes().length).toBe(0)
})
