import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { openObjects } from "../../src/bodies/s3/objects.ts"
import { ACCESS_KEY, BUCKET, REGION, type S3Server, SECRET_KEY, startS3 } from "../support/s3.ts"
import { makeFolder } from "./_archive.ts"

const MIB = 1 << 20

let s3: S3Server
beforeAll(async () => {
  s3 = await startS3()
})
afterAll(() => s3?.close())

const open = () =>
  openObjects(
    { bucket: BUCKET, region: REGION, endpoint: s3.endpoint, accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    { partBytes: 5 * MIB },
  )

function makeFile(bytes: Buffer): string {
  const path = join(makeFolder(), "draft")
  writeFileSync(path, bytes)
  return path
}

test("a large file is uploaded in parts, and can be read in pieces, listed and removed", async () => {
  const objects = await open()
  const bytes = randomBytes(12 * MIB + 7)
  await objects.upload("a/large.parquet", makeFile(bytes))
  await objects.upload("a/small.parquet", makeFile(bytes.subarray(0, 10)))
  expect(await objects.size("a/large.parquet")).toBe(bytes.length)
  expect(
    (await objects.read("a/large.parquet", 6 * MIB - 3, 6 * MIB + 3)).equals(bytes.subarray(6 * MIB - 3, 6 * MIB + 3)),
  ).toBe(true)
  expect(await objects.list("a/")).toEqual([
    { key: "a/large.parquet", bytes: bytes.length },
    { key: "a/small.parquet", bytes: 10 },
  ])
  await objects.remove("a/small.parquet")
  expect(await objects.size("a/small.parquet")).toBeUndefined()
  objects.close()
})

test("an upload that fails leaves no object, and the error says what is wrong with S3", async () => {
  const objects = await open()
  s3.fault = (key) => (key.startsWith("b/") ? { status: 403, code: "AccessDenied" } : undefined)
  const upload = objects.upload("b/large.parquet", makeFile(randomBytes(6 * MIB)))
  await expect(upload).rejects.toThrow("the archive and S3: these credentials may not put objects (s3:PutObject)")
  s3.fault = undefined
  expect(await objects.size("b/large.parquet")).toBeUndefined()
  objects.close()
})

test("uploads that a killed process began are aborted, however many, and no others of the bucket", async () => {
  const objects = await open()
  const left = ["c/1", "c/2", "c/3", "c/4", "c/5", "other/1"]
  for (const key of left) {
    // Nothing of it arrives from then on, not even the request that would abort it.
    const isBegun = () => [...s3.uploads.values()].includes(key)
    s3.fault = (name) => (name === key && isBegun() ? { status: 403, code: "AccessDenied" } : undefined)
    await expect(objects.upload(key, makeFile(randomBytes(6 * MIB)))).rejects.toThrow("S3")
  }
  s3.fault = undefined
  expect([...s3.uploads.values()].sort()).toEqual(left)
  await objects.abortUploads("c/")
  expect([...s3.uploads.values()]).toEqual(["other/1"])
  // A role that may not list uploads leaves them to a lifecycle rule of the bucket.
  s3.fault = { status: 403, code: "AccessDenied" }
  await objects.abortUploads("other/")
  s3.fault = undefined
  expect([...s3.uploads.values()]).toEqual(["other/1"])
  objects.close()
})
