import { createSocket } from "node:dgram"
import dns from "node:dns"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { canRun, inNamespaces } from "../support/namespaces.ts"
import { startPipeline } from "../support/pipeline.ts"
import { exchange, request, statusOf } from "./_raw.ts"

/** A provider on a loopback address that counts its requests, and answers `/v1/files/slow` when the test says so. */
async function startAt(host: string, port: number) {
  let requests = 0
  const held: ServerResponse[] = []
  const server = createServer((incoming, response) => {
    requests++
    incoming.resume()
    if (incoming.url === "/v1/files/slow") held.push(response)
    else response.end("{}")
  })
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(port, host, resolve))
  return {
    server,
    port: (server.address() as AddressInfo).port,
    requests: () => requests,
    held: () => held.length,
    release: () => held.splice(0).forEach((response) => void response.end("{}")),
    connections: () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count))),
  }
}

/** Resolves `provider.example` to the address that `moveTo` sets, and counts the lookups. */
function nameProvider(): { moveTo(address: string): void; lookUps(): number } {
  const original = dns.lookup
  let address = "127.0.0.1"
  let lookUps = 0
  dns.lookup = ((name: string, options: dns.LookupOptions, done: (...args: unknown[]) => void) => {
    if (name !== "provider.example") return void original(name, options, done as never)
    lookUps++
    if (options.all) done(null, [{ address, family: 4 }])
    else done(null, address, 4)
  }) as unknown as typeof dns.lookup
  onTestFinished(() => {
    dns.lookup = original
  })
  return {
    moveTo(next) {
      address = next
    },
    lookUps: () => lookUps,
  }
}

test.skipIf(process.platform !== "linux")(
  "[CON-04] each new connection looks up the provider's address again: when it changes and the old host closes its connections, requests go to the new host",
  async () => {
    const old = await startAt("127.0.0.1", 0)
    const next = await startAt("127.0.0.2", old.port)
    const name = nameProvider()
    const gateway = await startPipeline({ upstream: `http://provider.example:${old.port}` })
    try {
      for (let i = 0; i < 3; i++) expect(statusOf(await exchange(gateway.port, request()))).toBe(200)
      expect([old.requests(), name.lookUps()]).toEqual([3, 1])
      name.moveTo("127.0.0.2")
      // More concurrent requests than connections, so that new connections go to the new address already.
      const answers = await Promise.all(Array.from({ length: 8 }, () => exchange(gateway.port, request())))
      for (const answer of answers) expect(statusOf(answer)).toBe(200)
      expect(next.requests()).toBeGreaterThan(0)
      const before = old.requests()
      old.server.closeIdleConnections()
      await expect.poll(() => old.connections()).toBe(0)
      for (let i = 0; i < 5; i++) expect(statusOf(await exchange(gateway.port, request()))).toBe(200)
      expect(old.requests()).toBe(before)
    } finally {
      await gateway.close()
      old.server.close()
      next.server.close()
    }
  },
)

test.skipIf(process.platform !== "linux")(
  "[CON-04] under constant traffic, requests go to the new address when connections reach their maximum age; a response on an old connection finishes, and the connection is closed then",
  async () => {
    const old = await startAt("127.0.0.1", 0)
    const next = await startAt("127.0.0.2", old.port)
    const name = nameProvider()
    const gateway = await startPipeline({
      upstream: `http://provider.example:${old.port}`,
      settings: { maxConnectionAgeMs: 1000 },
    })
    try {
      const ask = (path?: string) => exchange(gateway.port, request("", path === undefined ? {} : { path }))
      const both = [ask("/v1/files/slow"), ask("/v1/files/slow")]
      await expect.poll(() => old.held()).toBe(2)
      name.moveTo("127.0.0.2")
      old.release()
      await Promise.all(both)
      // One of the two connections waits for its response, and the other is in constant use.
      const slow = ask("/v1/files/slow")
      await expect.poll(() => old.held()).toBe(1)
      while (next.requests() < 20) expect(statusOf(await ask())).toBe(200)
      expect(old.requests()).toBeGreaterThan(3)
      await expect.poll(() => old.connections()).toBe(1)
      old.release()
      expect(statusOf(await slow)).toBe(200)
      await expect.poll(() => old.connections()).toBe(0)
      expect(old.requests() + next.requests()).toBe(gateway.records.length)
    } finally {
      await gateway.close()
      old.server.close()
      next.server.close()
    }
  },
)

const NAMESERVER = "127.9.9.9"
const SLOW_LOOK_UPS = 16

/** A name server that receives queries and never answers, so that a lookup takes minutes in a thread of node. */
async function startSilentNames(): Promise<{ asked: () => number; close(): void } | undefined> {
  let asked = 0
  const socket = createSocket("udp4")
  socket.on("message", () => asked++)
  try {
    await new Promise<void>((resolve, reject) => void socket.once("error", reject).bind(53, NAMESERVER, resolve))
  } catch {
    socket.close()
    return undefined
  }
  return { asked: () => asked, close: () => socket.close() }
}

const directory = mkdtempSync(join(tmpdir(), "mdm-names-"))
const resolver = join(directory, "resolv.conf")
writeFileSync(resolver, `nameserver ${NAMESERVER}\noptions timeout:30 attempts:5\n`)
const NO_NAMES = inNamespaces(["--mount"], `mount --bind ${resolver} /etc/resolv.conf`)
const names = canRun(NO_NAMES) ? await startSilentNames() : undefined

// Changing the resolver for one process requires root.
test.skipIf(names === undefined)(
  "[ENC-07] while name lookups hang in node's threads, compressed streams are decoded, metered and stored",
  async () => {
    onTestFinished(() => {
      names?.close()
      rmSync(directory, { recursive: true, force: true })
    })
    const fakeProvider = await startFakeProvider()
    const home = createInstallation(
      {
        MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
        MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: "http://nobody.example",
        MAJORDOMO_UPSTREAM_CONNECT_TIMEOUT: "10m",
        MAJORDOMO_PRICING_REMOTE_URL: "",
        MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "100ms",
      },
      { under: NO_NAMES },
    )
    onTestFinished(() => home.remove())
    onTestFinished(() => fakeProvider.close())
    const { key } = (await home.runJson(["keys", "create", "--name", "test"])) as { key: string }
    const gateway = await home.serve({ args: ["--quiet"] })
    const ask = async (path: string, script: object) =>
      fetch(gateway.origin + path, {
        method: "POST",
        headers: {
          "x-majordomo-key": key,
          "content-type": "application/json",
          "x-fake-provider": JSON.stringify(script),
        },
        body: '{"model":"gpt-4o-mini","stream":true,"messages":[]}',
      })
    const stream = async () => {
      // These are larger than what is decoded synchronously, so each needs a thread of node repeatedly.
      const answer = await ask("/v1/chat/completions", { pieces: 500, encoding: "gzip" })
      expect(await answer.text()).toContain("[DONE]")
    }
    let ended = 0
    const hanging = Array.from({ length: SLOW_LOOK_UPS }, () =>
      ask("/v1/messages", {})
        .catch(() => {})
        .then(() => ended++),
    )
    await expect.poll(names!.asked).toBeGreaterThanOrEqual(2)
    for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: 10 }, stream))
    expect(ended, "look-ups that ended before the streams").toBe(0)
    await gateway.stop("SIGKILL")
    await Promise.all(hanging)
  },
)
