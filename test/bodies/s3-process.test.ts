import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, renameSync, statSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { openBodyStore } from "../../src/bodies/index.ts"
import { type BuiltBodies, buildBodies } from "../support/body-uploader.ts"
import { type S3Server, startS3 } from "../support/s3.ts"
import { answerHead, CALLER, makeCall, makeOptions } from "./_bodies.ts"

let s3: S3Server
let built: BuiltBodies

beforeAll(async () => {
  ;[s3, built] = await Promise.all([startS3(), buildBodies()])
})
afterAll(async () => {
  built.remove()
  await s3.close()
})

/** Keeps bodies in a process of its own; resolves with their keys when all are kept, and the process still lives. */
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
    expect(await store.drain(10_000)).toEqual({ waiting: 0 })
    expect(keys.filter((key) => !isInS3(key))).toEqual([])
    await store.close()
    expect(readdirSync(options.dir)).toEqual([])
  })

  test("a record that the kill tore is passed over, and those before it are stored", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const { options } = makeOptions({ endpoint: s3.endpoint })
    const [keys, child] = await keepInChild(options.dir, 5, 1000)
    await kill(child)
    const [segment] = readdirSync(options.dir)
    truncateSync(join(options.dir, segment!), statSync(join(options.dir, segment!)).size - 10)
    s3.fault = undefined
    const store = await openBodyStore(options)
    expect(store.stats().waiting).toBe(4)
    expect(await store.drain(10_000)).toEqual({ waiting: 0 })
    expect(keys.map(isInS3)).toEqual([true, true, true, true, false])
    await store.close()
  })

  test("a file that was damaged while it waited costs what follows the damage, said and counted, and nothing else", async () => {
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
    expect(await store.drain(10_000)).toEqual({ waiting: 0 })
    const line = await waitForLine(/is damaged or gone/)
    const { uploaded, lost } = store.stats()
    expect([uploaded + lost, line]).toEqual([100, expect.stringContaining(`bodies of ${lost} requests are lost`)])
    expect(uploaded).toBeGreaterThan(60)
    await store.close()
  })

  test("a large body that the kill caught half written is lost, and its row is corrected as soon as the row is there", async () => {
    s3.fault = { status: 503, code: "SlowDown" }
    const forgotten: string[] = []
    let asked = 0
    const { options, waitForLine } = makeOptions({
      endpoint: s3.endpoint,
      forget: async (ids) => {
        if (++asked < 3) return [] // the row itself still waits for the database
        forgotten.push(...ids)
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
    await expect.poll(() => forgotten, { timeout: 5000 }).toEqual([key.split("/")[2]!.replace(".json.gz", "")])
    await expect.poll(() => readdirSync(options.dir)).toEqual([])
    expect(store.stats()).toMatchObject({ kept: 1, lost: 1, waiting: 0 })
    await store.close()
  })

  test("the thread uploads, survives S3's absence, and ends in order", async () => {
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
    expect(await store.drain(10_000)).toEqual({ waiting: 0 })
    expect(keys.filter((key) => !isInS3(key))).toEqual([])
    expect(store.stats()).toMatchObject({ kept: 200, uploaded: 200, lost: 0 })
    await store.close()
    expect(readdirSync(options.dir)).toEqual([])
  })

  test("a thread that dies is started again and goes on where the files say", async () => {
    const { options, logged, waitForLine } = makeOptions({
      endpoint: s3.endpoint,
      workerUrl: new URL("data:text/javascript,throw new Error('no such thread')"),
    })
    const store = await openBodyStore(options)
    store.open(makeCall(), CALLER)!.finish(answerHead("text/plain"))
    await waitForLine(/the uploader of bodies has ended \(no such thread\)/)
    expect(store.stats()).toMatchObject({ kept: 1, waiting: 1 })
    await store.close()
    expect(readdirSync(options.dir)).toHaveLength(1)
    expect(logged.at(-1)!.line).toBe("bodies: 1 kept = 0 uploaded + 1 waiting + 0 lost; 0 dropped")
  })
})
