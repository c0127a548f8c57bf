import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openBodyStore } from "../../src/bodies/index.ts"
import { type BuiltBodies, buildBodies } from "../support/body-uploader.ts"
import { type S3Server, startS3 } from "../support/s3.ts"
import { answerHead, CALLER, makeCall, makeOptions, parseObject, RECEIVED_AT } from "./_bodies.ts"
import { drain } from "./_drain.ts"

let s3: S3Server
let built: BuiltBodies

beforeAll(async () => {
  ;[s3, built] = await Promise.all([startS3(), buildBodies()])
})
afterAll(async () => {
  built.remove()
  await s3.close()
})

/** Keeps bodies in a process of its own. Resolves with their keys when all are kept; the process is still running then. */
async function keepInChild(
  dir: string,
  count: number,
  bytes: number,
  uploader = "",
): Promise<[string[], ChildProcess]> {
  const child = spawn(process.execPath, [built.keeper, dir, s3.endpoint, `${count}`, `${bytes}`, uploader], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const keys: string[] = []
  for await (const line of createInterface(child.stdout!)) {
    if (line === "done") break
    keys.push(line)
  }
  return [keys, child]
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL")
  await once(child, "exit")
}

function isInS3(key: string): boolean {
  return s3.puts.some((put) => put.key === key)
}

/** A record as versions before checksums wrote it: magic, three lengths, the note, the bodies. */
function recordOfEarlierVersion(id: string, key: string, answer: string): Buffer {
  const response = Buffer.from(answer)
  const exchange = {
    id,
    receivedAt: RECEIVED_AT,
    method: "POST",
    path: "/v1/chat/completions",
    requestHeaders: {},
    statusCode: 200,
    responseHeaders: { "Content-Type": "application/json" },
  }
  const note = Buffer.from(
    JSON.stringify({ key, exchange, response: { totalBytes: response.length, isTruncated: false } }),
  )
  const header = Buffer.alloc(16)
  header.write("MBJ1", 0, "latin1")
  header.writeUInt32LE(note.length, 4)
  header.writeUInt32LE(response.length, 12)
  return Buffer.concat([header, note, response])
}

describe("bodies in S3, across processes", () => {
  test("[S3F-06] [LOG-15] after a kill -9, the next start stores every body whose row has a key", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { options } = makeOptions({ endpoint: s3.endpoint })
    const [keys, child] = await keepInChild(options.dir, 300, 1000)
    await kill(child)
    expect(keys.some(isInS3)).toBe(false)
    s3.fault = undefined
    const store = await openBodyStore(options)
    expect(store.stats().waiting).toBe(300)
    await drain(store)
    expect(keys.filter((key) => !isInS3(key))).toEqual([])
    await store.close()
    expect(readdirSync(options.dir)).toEqual([])
  })

  test("a record that the kill tore is ignored, and those before it are stored", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { options } = makeOptions({ endpoint: s3.endpoint })
    const [keys, child] = await keepInChild(options.dir, 5, 1000)
    await kill(child)
    const [segment] = readdirSync(options.dir)
    truncateSync(join(options.dir, segment!), statSync(join(options.dir, segment!)).size - 10)
    s3.fault = undefined
    const store = await openBodyStore(options)
    expect(store.stats().waiting).toBe(4)
    await drain(store)
    expect(keys.map(isInS3)).toEqual([true, true, true, true, false])
    await store.close()
  })

  test("a file that is shortened while it waits loses what is missing, which is counted and logged, and nothing else", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { options, waitForLine } = makeOptions({ endpoint: s3.endpoint })
    const store = await openBodyStore(options)
    const answer = Buffer.alloc(9000, "x")
    for (let i = 0; i < 100; i++) {
      const capture = store.open(makeCall(), CALLER)!
      capture.push(answer)
      capture.finish(answerHead("text/plain"))
    }
    await waitForLine(/fewer requests/)
    const [segment = ""] = readdirSync(options.dir)
    truncateSync(join(options.dir, segment), 600_000)
    s3.fault = undefined
    await drain(store)
    const line = await waitForLine(/is damaged or gone/)
    const { uploaded, lost } = store.stats()
    expect([uploaded + lost, line]).toEqual([100, expect.stringContaining(`bodies of ${lost} requests are lost`)])
    expect(uploaded).toBeGreaterThan(60)
    await store.close()
  })

  test("a damaged record is set aside and lost, its row is corrected, and every other record is stored", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { options, waitForLine } = makeOptions({ endpoint: s3.endpoint })
    const [keys, child] = await keepInChild(options.dir, 5, 1000)
    await kill(child)
    const file = join(options.dir, readdirSync(options.dir)[0]!)
    const bytes = readFileSync(file)
    const record = bytes.length / 5
    bytes[2 * record + record - 500]! ^= 1 // in the body of the third
    writeFileSync(file, bytes)
    s3.fault = undefined
    const cleared: string[] = []
    const store = await openBodyStore({
      ...options,
      async clearKeys(ids) {
        cleared.push(...ids)
        return ids
      },
    })
    await drain(store)
    expect(keys.map(isInS3)).toEqual([true, true, false, true, true])
    expect(store.stats()).toMatchObject({ kept: 5, uploaded: 4, lost: 1 })
    expect(cleared).toEqual([keys[2]!.split("/")[2]!.replace(".json.gz", "")])
    expect(await waitForLine(/set aside a damaged record/)).toContain("its checksum does not match")
    const damaged = JSON.parse(readFileSync(join(options.dir, "damaged.jsonl"), "utf8"))
    expect([damaged.offset, damaged.reason]).toEqual([2 * record, "its checksum does not match"])
    expect(Buffer.from(damaged.base64 ?? damaged.record, damaged.base64 ? "base64" : "utf8")).toHaveLength(record)
    await store.close()
    expect(readdirSync(options.dir)).toEqual(["damaged.jsonl"])
  })

  test("what is no record in a file that was left is set aside and counted, and what is before it is stored", async () => {
    const { options, waitForLine } = makeOptions({ endpoint: s3.endpoint })
    s3.fault = { status: 503, code: "SlowDown" }
    const [keys, child] = await keepInChild(options.dir, 3, 1000)
    await kill(child)
    const file = join(options.dir, readdirSync(options.dir)[0]!)
    const bytes = readFileSync(file)
    bytes.write("XXXX", (bytes.length / 3) * 2)
    writeFileSync(file, bytes)
    s3.fault = undefined
    const store = await openBodyStore(options)
    await drain(store)
    expect(keys.map(isInS3)).toEqual([true, true, false])
    expect(store.stats()).toMatchObject({ kept: 3, uploaded: 2, lost: 1 })
    expect(await waitForLine(/set aside a damaged record/)).toContain("it is not a record")
    await store.close()
  })

  test("records of an earlier version, without checksums, are stored", async () => {
    const { options } = makeOptions({ endpoint: s3.endpoint })
    const ids = Array.from({ length: 3 }, () => makeCall().id)
    const [first, second, large] = ids.map((id) => recordOfEarlierVersion(id, `old/${id}.json.gz`, `{"of":"${id}"}`))
    writeFileSync(join(options.dir, "000000000001.seg"), Buffer.concat([first!, second!, first!.subarray(0, 90)]))
    writeFileSync(join(options.dir, `000000000002.${ids[2]}.large`), large!)
    const store = await openBodyStore(options)
    expect(store.stats().waiting).toBe(3)
    await drain(store)
    for (const id of ids) {
      const { body } = s3.puts.find(({ key }) => key === `old/${id}.json.gz`)!
      expect(parseObject(body)).toMatchObject({
        request_id: id,
        request: { body: null },
        response: { body: { of: id } },
      })
    }
    await store.close()
    expect(readdirSync(options.dir)).toEqual([])
  })

  test("a large body that was half written at the kill is lost, and its row is corrected as soon as the row exists", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const cleared: string[] = []
    let attempts = 0
    const { options, waitForLine } = makeOptions({
      endpoint: s3.endpoint,
      clearKeys: async (ids) => {
        if (++attempts < 3) return [] // the row itself still waits for the database
        cleared.push(...ids)
        return ids
      },
    })
    const [[key = ""], child] = await keepInChild(options.dir, 1, 400_000)
    await expect.poll(() => readdirSync(options.dir)).toEqual([expect.stringMatching(/\.large$/)])
    await kill(child)
    const [name = ""] = readdirSync(options.dir)
    renameSync(join(options.dir, name), join(options.dir, name.replace(".large", ".part")))
    const store = await openBodyStore(options)
    await waitForLine(/bodies of 1 requests were lost/)
    await expect.poll(() => cleared).toEqual([key.split("/")[2]!.replace(".json.gz", "")])
    await expect.poll(() => readdirSync(options.dir)).toEqual([])
    expect(store.stats()).toMatchObject({ kept: 1, lost: 1, waiting: 0 })
    await store.close()
  })

  test("the upload thread survives an outage of S3 and ends in order", async () => {
    await s3.down()
    s3.fault = undefined
    const { options, waitForLine } = makeOptions({ endpoint: s3.endpoint, workerUrl: built.uploader })
    const store = await openBodyStore(options)
    const keys = Array.from({ length: 200 }, () => {
      const capture = store.open(makeCall(), CALLER)!
      return capture.finish(answerHead("text/plain")).s3_key!
    })
    await waitForLine(/refuses connections/)
    await s3.up()
    await waitForLine(/stored again/)
    await drain(store)
    expect(keys.filter((key) => !isInS3(key))).toEqual([])
    expect(store.stats()).toMatchObject({ kept: 200, uploaded: 200, lost: 0 })
    await store.close()
    expect(readdirSync(options.dir)).toEqual([])
  })

  test("an upload thread that dies is restarted and continues with the files", async () => {
    const { options, logged, waitForLine } = makeOptions({
      endpoint: s3.endpoint,
      workerUrl: new URL("data:text/javascript,throw new Error('no such thread')"),
    })
    const store = await openBodyStore(options)
    store.open(makeCall(), CALLER)!.finish(answerHead("text/plain"))
    await waitForLine(/the upload thread for bodies ended \(no such thread\)/)
    expect(store.stats()).toMatchObject({ kept: 1, waiting: 1 })
    await store.close()
    expect(readdirSync(options.dir)).toHaveLength(1)
    expect(logged.at(-1)!.line).toBe("bodies: 1 kept = 0 uploaded + 1 waiting + 0 lost; 0 dropped")
  })
})
