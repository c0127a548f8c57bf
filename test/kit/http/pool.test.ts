import { once } from "node:events"
import { createServer, type Server, type Socket } from "node:net"
import { buildConnector } from "undici"
import { afterEach, describe, expect, test } from "vitest"
import type { HttpError } from "../../../src/kit/http/errors.ts"
import type { ResponseHandler } from "../../../src/kit/http/exchange.ts"
import { HttpPool } from "../../../src/kit/http/pool.ts"
import type { HttpRequest } from "../../../src/kit/http/request-head.ts"

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const CALM = { headMs: 60_000, bodyMs: 60_000, idleMs: 60_000 }
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

/** A server of plain sockets. `onText` is called for each piece that a connection sends. */
async function serve(onText: (socket: Socket, text: string, connection: number) => void, waits = CALM) {
  const sockets: Socket[] = []
  const server: Server = createServer((socket) => {
    const index = sockets.push(socket) - 1
    socket.on("data", (bytes) => onText(socket, bytes.toString("latin1"), index)).on("error", () => {})
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const { port } = server.address() as { port: number }
  const pool = new HttpPool(`http://127.0.0.1:${port}`, { connect: buildConnector({ timeout: 5000 }), waits })
  opened.push(async () => {
    await pool.destroy()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { pool, sockets, port }
}

interface Answer {
  status: number
  body: string
  error: Error | undefined
}

function ask(
  pool: HttpPool,
  request: Partial<HttpRequest> = {},
  handler: Partial<ResponseHandler> = {},
): Promise<Answer> {
  const answer: Answer = { status: 0, body: "", error: undefined }
  return new Promise((resolve) => {
    pool.dispatch(
      { method: "POST", path: "/", headers: [], body: undefined, ...request },
      {
        onConnect: () => {},
        onHeaders(status) {
          answer.status = status
        },
        onData(bytes) {
          answer.body += bytes.toString("latin1")
          return true
        },
        onComplete: () => resolve(answer),
        onError: (error) => resolve({ ...answer, error }),
        ...handler,
      },
    )
  })
}

const failureOf = ({ error }: Answer) => (error as HttpError | undefined)?.failure

describe("a connection", () => {
  test("takes the next request as soon as a response is whole", async () => {
    const { pool, sockets } = await serve((socket) => socket.write(OK))
    for (let index = 0; index < 3; index++)
      expect(await ask(pool)).toEqual({ status: 200, body: "hi", error: undefined })
    expect(sockets).toHaveLength(1)
  })

  test("is not shared: two requests at once have two", async () => {
    const waiting: Socket[] = []
    const { pool, sockets } = await serve((socket) => {
      waiting.push(socket)
      if (waiting.length === 2) for (const each of waiting) each.write(OK)
    })
    await Promise.all([ask(pool), ask(pool)])
    expect(sockets).toHaveLength(2)
  })

  test.each([
    ["whose server closes it", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"],
    ["on which more than the response came", `${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`],
    [
      "that the server keeps for a second only",
      "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi",
    ],
  ])("%s is not used again", async (_, answer) => {
    const { pool, sockets } = await serve((socket) => socket.write(answer))
    expect(await ask(pool)).toMatchObject({ body: "hi" })
    expect(await ask(pool)).toMatchObject({ body: "hi" })
    expect(sockets).toHaveLength(2)
  })

  test("on which bytes come that nobody asked for is closed, and they answer nothing", async () => {
    const { pool, sockets } = await serve((socket) => socket.write(OK))
    await ask(pool)
    const closed = once(sockets[0]!, "close")
    sockets[0]!.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
    await closed
    expect(await ask(pool)).toMatchObject({ body: "hi" })
  })

  test("that is idle for too long is closed", async () => {
    const { pool, sockets } = await serve((socket) => socket.write(OK), { ...CALM, idleMs: 20 })
    await ask(pool)
    await once(sockets[0]!, "close")
  })
})

describe("a request", () => {
  test("is sent with its host, its length and its body in one piece", async () => {
    const texts: string[] = []
    const { pool, port } = await serve((socket, text) => {
      texts.push(text)
      socket.write(OK)
    })
    await ask(pool, { path: "/a?b", headers: ["X-A", "b"], body: Buffer.from("{}") })
    expect(texts).toEqual([
      `POST /a?b HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: keep-alive\r\nX-A: b\r\ncontent-length: 2\r\n\r\n{}`,
    ])
  })

  test("states the length 0 only where a body is expected", async () => {
    const texts: string[] = []
    const { pool } = await serve((socket, text) => {
      texts.push(text)
      socket.write(text.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : OK)
    })
    for (const method of ["POST", "GET", "DELETE", "HEAD"]) await ask(pool, { method })
    expect(texts.map((text) => [text.split(" ")[0], text.includes("content-length: 0")])).toEqual([
      ["POST", true],
      ["GET", false],
      ["DELETE", false],
      ["HEAD", false],
    ])
  })

  test.each([
    ["a header with a line end", { headers: ["X-A", "b\r\nX-B: c"] }],
    ["a header with a character beyond latin1", { headers: ["X-A", "\u2028"] }],
    ["a name with a space", { headers: ["X A", "b"] }],
    ["a path with a space", { path: "/a b" }],
    ["a path with a line end", { path: "/a\r\nX-B: c" }],
    ["a method with a space", { method: "GET /" }],
  ])("is not sent with %s", async (_, request) => {
    const { pool, sockets } = await serve((socket) => socket.write(OK))
    await expect(ask(pool, request)).rejects.toMatchObject({ failure: "invalid_request" })
    expect(sockets).toHaveLength(0)
  })

  test("sends a body that is read meanwhile, and waits for the server", async () => {
    let received = 0
    const { pool } = await serve((socket, text) => {
      received += text.length
      if (text.endsWith("end")) socket.write(OK)
    })
    async function* pieces() {
      for (let index = 0; index < 100; index++) yield Buffer.alloc(64 * 1024, "a")
      yield Buffer.from("end")
    }
    const length = 100 * 64 * 1024 + 3
    expect(await ask(pool, { body: { length, pieces: pieces() } })).toMatchObject({ body: "hi" })
    expect(received).toBeGreaterThan(length)
  })

  test.each([
    ["shorter", 3],
    ["longer", 1],
  ])("fails if its body is %s than it says, and its connection is not used again", async (_, length) => {
    const { pool, sockets } = await serve(() => {})
    async function* pieces() {
      yield Buffer.from("ab")
    }
    const { error } = await ask(pool, { body: { length, pieces: pieces() } })
    expect(error?.message).toBe("the body has another length than stated")
    expect(await once(sockets[0]!, "close")).toBeDefined()
  })

  test("whose body cannot be read fails with that error", async () => {
    const { pool } = await serve(() => {})
    // biome-ignore lint/correctness/useYield: it fails before its first piece
    async function* pieces(): AsyncGenerator<Buffer> {
      throw new Error("the disk failed")
    }
    expect((await ask(pool, { body: { length: 2, pieces: pieces() } })).error?.message).toBe("the disk failed")
  })

  test("that is answered before its body was sent ends, and the rest of the body comes before no other request", async () => {
    const { pool, sockets } = await serve((socket, _, index) => socket.write(index === 0 ? OK : OK.replace("hi", "ho")))
    let release = () => {}
    async function* pieces() {
      yield Buffer.from("a")
      await new Promise<void>((resolve) => {
        release = resolve
      })
      yield Buffer.from("b")
    }
    expect(await ask(pool, { body: { length: 2, pieces: pieces() } })).toMatchObject({ body: "hi" })
    expect(await ask(pool)).toMatchObject({ body: "ho" })
    release()
    expect(sockets).toHaveLength(2)
  })

  test("that nobody listens to fails with node's error", async () => {
    const { pool, sockets } = await serve(() => {})
    expect(sockets).toHaveLength(0)
    const nobody = new HttpPool("http://127.0.0.1:9", { connect: buildConnector({ timeout: 5000 }), waits: CALM })
    expect((await ask(nobody)).error).toMatchObject({ code: "ECONNREFUSED" })
    await pool.close()
  })
})

describe("a response", () => {
  test.each([
    ["does not begin in time", "", "head_timeout", { ...CALM, headMs: 20 }],
    ["stops", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "body_timeout", { ...CALM, bodyMs: 20 }],
  ])("that %s fails", async (_, text, failure, waits) => {
    const { pool, sockets } = await serve((socket) => socket.write(text), waits)
    expect(failureOf(await ask(pool))).toBe(failure)
    await once(sockets[0]!, "close")
  })

  test.each([
    ["that is no HTTP", "SSH-2.0\r\n", "invalid_response"],
    ["that switches to a protocol that nobody asked for", "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", "invalid_response"],
  ])("%s fails", async (_, text, failure) => {
    const { pool } = await serve((socket) => socket.write(text))
    expect(failureOf(await ask(pool))).toBe(failure)
  })

  test("that is cut fails after its bytes", async () => {
    const { pool } = await serve((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"))
    const answer = await ask(pool)
    expect([answer.status, answer.body, failureOf(answer)]).toEqual([200, "hi", "closed"])
  })

  test("waits while its reader is slow, without a timeout, and goes on afterwards", async () => {
    const size = 4 * 1024 * 1024
    const { pool } = await serve(
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${"a".repeat(size)}`),
      {
        ...CALM,
        bodyMs: 40,
      },
    )
    let goOn = () => {}
    let received = 0
    let whilePaused = 0
    const done = ask(
      pool,
      {},
      {
        onHeaders(_status, _headers, resume) {
          goOn = resume
        },
        onData(bytes) {
          received += bytes.length
          if (received < bytes.length + 1) {
            // Several times as long as the timeout of a body.
            setTimeout(() => {
              whilePaused = received
              goOn()
            }, 200)
            return false
          }
          return true
        },
      },
    )
    expect((await done).error).toBeUndefined()
    expect([received, whilePaused <= 64 * 1024]).toEqual([size, true])
  })

  test("in very many chunks leaves other work its turn", async () => {
    const chunks = "1\r\na\r\n".repeat(50_000)
    const { pool } = await serve((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`),
    )
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    expect((await ask(pool)).body).toHaveLength(50_000)
    clearInterval(timer)
    expect(turns).toBeGreaterThan(0)
  })

  test("with a bug in its handler ends with that error, and the next request is served", async () => {
    const { pool } = await serve((socket) => socket.write(OK))
    const bug = () => {
      throw new Error("a bug")
    }
    for (const handler of [{ onHeaders: bug }, { onData: bug }, { onComplete: bug }] as const) {
      expect((await ask(pool, {}, handler)).error?.message).toBe("a bug")
    }
    expect(await ask(pool)).toMatchObject({ body: "hi" })
  })
})

describe("an exchange that is aborted", () => {
  test("ends with the reason, and its connection is closed", async () => {
    const { pool, sockets } = await serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi"))
    let abort: (reason: Error) => void = () => {}
    const { error } = await ask(
      pool,
      {},
      {
        onConnect(given) {
          abort = given
        },
        onData() {
          abort(new Error("enough"))
          return true
        },
      },
    )
    expect(error?.message).toBe("enough")
    await once(sockets[0]!, "close")
  })

  test("before it is sent is not sent", async () => {
    const texts: string[] = []
    const { pool } = await serve((_, text) => void texts.push(text))
    const { error } = await ask(pool, {}, { onConnect: (abort) => abort(new Error("nobody waits")) })
    expect(error?.message).toBe("nobody waits")
    await pool.close()
    expect(texts).toEqual([])
  })
})

describe("a pool that closes", () => {
  test("lets running exchanges end, and then has no connection", async () => {
    let hasAsked = false
    const { pool, sockets } = await serve(() => {
      hasAsked = true
    })
    const running = ask(pool)
    await expect.poll(() => hasAsked).toBe(true)
    const closed = pool.close()
    sockets[0]!.write(OK)
    expect(await running).toMatchObject({ body: "hi" })
    await closed
  })

  test("and then at once has closed for both who asked", async () => {
    const { pool, sockets } = await serve(() => {})
    const running = ask(pool)
    await expect.poll(() => sockets.length).toBe(1)
    const [closed, destroyed] = [pool.close(), pool.destroy()]
    expect(failureOf(await running)).toBe("pool_closed")
    await Promise.all([closed, destroyed])
  })

  test("at once ends running exchanges with an error", async () => {
    const { pool, sockets } = await serve(() => {})
    const running = ask(pool)
    await expect.poll(() => sockets.length).toBe(1)
    await pool.destroy()
    expect(failureOf(await running)).toBe("pool_closed")
  })
})
