import { request } from "node:http"
import { createServer } from "node:net"
import { expect, test } from "vitest"
import { ResponseReader } from "../../src/kit/http/response-reader.ts"
import { fuzz, mutate, TIMEOUT_MS } from "./_fuzz.ts"

const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall",
  "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n",
  "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
]
const WORDS = ["\r", "\n", "\r\n", ":", " ", "\t", "0", "5", "a", "F", ";", "\0", ",", "-", "chunked", "HTTP/1.1 "]
WORDS.push("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: close\r\n")

interface Read {
  isWhole: boolean
  status: number
  body: string
}

function readOurs(text: string): Read {
  const read: Read = { isWhole: false, status: 0, body: "" }
  const reader = new ResponseReader({
    onHead({ status }) {
      read.status = status
    },
    onBody(bytes) {
      read.body += bytes.toString("latin1")
    },
    onEnd() {
      read.isWhole = true
    },
    onSwitch({ status }) {
      read.status = status
      read.isWhole = true
    },
  })
  reader.begin(false)
  try {
    reader.push(Buffer.from(text, "latin1"))
    reader.finish()
  } catch {
    read.isWhole = false
  }
  return read
}

function readNodes(port: number): Promise<Read> {
  return new Promise((resolve) => {
    const read = { isWhole: false, status: 0, body: "" }
    const asked = request({ agent: false, host: "127.0.0.1", port, method: "POST" })
    const end = (isWhole: boolean) => {
      resolve({ ...read, isWhole })
      asked.destroy()
    }
    asked.on("error", () => end(false))
    asked.on("upgrade", ({ statusCode }) => {
      read.status = statusCode!
      end(true)
    })
    asked.on("response", (response) => {
      read.status = response.statusCode!
      response.on("data", (bytes: Buffer) => {
        read.body += bytes.toString("latin1")
      })
      response.on("end", () => end(response.complete)).on("error", () => end(false))
    })
    asked.end()
  })
}

test(
  "[FUZ-02] mutated responses that the reader and node's parser both take for whole are the same to both",
  async () => {
    let text = ""
    const server = createServer((socket) =>
      socket.on("error", () => {}).once("data", () => socket.end(Buffer.from(text, "latin1"))),
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as { port: number }
    let whole = 0
    await fuzz("responses", async (random) => {
      text = mutate(random, random.one(RESPONSES), WORDS, 3)
      const ours = readOurs(text)
      if (!ours.isWhole) return
      const nodes = await readNodes(port)
      // Node also rejects what the reader ignores: trailers, extensions of chunks, and bytes after the response.
      if (!nodes.isWhole) return
      whole++
      expect(nodes, JSON.stringify(text)).toEqual(ours)
    })
    expect(whole).toBeGreaterThan(10)
    server.close()
  },
  TIMEOUT_MS,
)
