import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import { createOutline } from "../../src/gateway/large-body.ts"
import { readFormFields } from "../../src/providers/_multipart.ts"
import { createRandom, type Random } from "../providers/_random.ts"

const TYPE = "multipart/form-data; boundary=----b0undary"
const NAMES = ["model", "stream"]

function outlineOf(bytes: Buffer, splits: (left: number) => number): Buffer {
  const outline = createOutline(bytes.subarray(0, 1024))
  for (let at = 0; at < bytes.length; ) {
    const end = at + splits(bytes.length - at)
    outline.push(bytes.subarray(at, end))
    at = end
  }
  return outline.bytes()
}

const file = (bytes: Buffer) => part('name="file"; filename="a.wav"\r\nContent-Type: audio/wav', bytes)
const part = (head: string, value: Buffer) =>
  Buffer.concat([
    Buffer.from(`------b0undary\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
    value,
    Buffer.from("\r\n"),
  ])
const END = Buffer.from("------b0undary--\r\n")

function randomForm(random: Random): Buffer {
  const parts = Array.from({ length: random.below(6) }, () => {
    if (random.below(2) === 0) return file(randomBytes(random.below(random.one([10, 20_000, 400_000]))))
    const name = random.one([...NAMES, "prompt"])
    return part(
      `name="${name}"`,
      Buffer.from(random.one(["whisper-1", "true", "x".repeat(random.below(30_000)), "--", "\r\n------b0"])),
    )
  })
  return Buffer.concat([...parts, END])
}

test("the fields of a form are the same in its outline, wherever they stand and however its pieces arrive", () => {
  const random = createRandom(7)
  let found = 0
  for (let n = 0; n < 300; n++) {
    const form = randomForm(random)
    const most = random.one([50, 1000, 65_536, 1e9])
    const outline = outlineOf(form, (left) =>
      form.length > 200_000 && most < 1000 ? 4096 : Math.min(left, 1 + random.below(most)),
    )
    const fields = readFormFields(TYPE, form, NAMES)
    expect(readFormFields(TYPE, outline, NAMES), `form ${n}`).toEqual(fields)
    found += Object.keys(fields).length
    expect(outline.length).toBeLessThan(7 * 10 * 1024)
  }
  expect(found).toBeGreaterThan(100)
})

test("a model between two files is found", () => {
  const form = Buffer.concat([
    file(randomBytes(2_000_000)),
    part('name="model"', Buffer.from("gpt-image-1")),
    file(randomBytes(2_000_000)),
    END,
  ])
  const outline = outlineOf(form, (left) => Math.min(left, 65_536))
  expect(readFormFields(TYPE, outline, NAMES)).toEqual({ model: "gpt-image-1" })
  expect(outline.length).toBeLessThan(40_000)
})

test("a body that is neither an object nor a form has an empty outline", () => {
  expect(outlineOf(Buffer.alloc(1_000_000, "["), () => 1000).length).toBe(0)
  expect(outlineOf(Buffer.from(`--${"x".repeat(5000)}`), () => 100).length).toBe(0)
})
