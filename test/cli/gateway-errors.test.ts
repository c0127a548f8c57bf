import { once } from "node:events"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer, type RequestListener, request, type Server } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type AdminApi, startAdminApi } from "../api/_api.ts"
import type { Ran, Settings } from "../support/gateway.ts"
import { runInProcess } from "../support/in-process.ts"
import { insertRows } from "../support/usage-rows.ts"

const TOKEN = "mdm_admin_of-the-tests"
/** Nothing listens at this port, which only the system may use. */
const CLOSED = "http://127.0.0.1:1023"
const TLS = new URL("../fixtures/tls/", import.meta.url)

const home = mkdtempSync(join(tmpdir(), "mdm-afar-"))
const loginFile = join(home, ".majordomo", "login.json")
const servers: Server[] = []
let api: AdminApi
let client: pg.Client

beforeAll(async () => {
  api = await startAdminApi()
  client = new pg.Client({ connectionString: api.caller.settings.storage.postgres.url })
  await client.connect()
})
afterAll(async () => {
  for (const server of servers) server.close()
  await client?.end()
  await api?.close()
  rmSync(home, { recursive: true })
})

const run = (line: string, settings: Settings = {}, input?: string) =>
  runInProcess(line.split(" "), { env: { HOME: home, PATH: process.env["PATH"] ?? "", ...settings }, input })

/** Runs a command that asks the gateway at an address. */
const ask = (url: string, line = "keys list", token = TOKEN) =>
  run(line, { MAJORDOMO_GATEWAY_URL: url, MAJORDOMO_ADMIN_TOKEN: token })

/** Starts a server that answers everything in the same way, and returns its address. */
async function serve(listener: RequestListener, server = createServer(listener)): Promise<string> {
  servers.push(server)
  await once(server.listen(0, "127.0.0.1"), "listening")
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
const answer = (status: number, type: string, body: string, headers: Record<string, string> = {}) =>
  serve((_, response) => response.writeHead(status, { "Content-Type": type, ...headers }).end(body))
const HTML = "<!doctype html><title>Welcome</title>"

/** Checks that a command failed with one line, and returns it. */
function lineOf({ code, stdout, stderr }: Ran, expectedCode = 1): string {
  expect([code, stdout, stderr.split("\n").length]).toEqual([expectedCode, "", 2])
  return stderr.trim()
}

describe("a token that the gateway does not accept", () => {
  test.each(["keys list", "keys list --json", "usage tail", "usage export --bodies", "keys create --name x"])(
    "revoked: %s says why, and what to do by where the token is from",
    async (line) => {
      const { id, token } = await api.createToken("admin")
      expect((await ask(api.url, "keys list", token)).code).toBe(0)
      await run(`tokens revoke ${id} --yes`, { MAJORDOMO_GATEWAY_URL: api.url, MAJORDOMO_ADMIN_TOKEN: token })
      const why = `error: the gateway at ${api.url} does not accept this admin token, because it is unknown, expired or revoked`
      expect(lineOf(await ask(api.url, line, token))).toBe(`${why}: correct MAJORDOMO_ADMIN_TOKEN, or give --token`)
      expect(lineOf(await run(`${line} --gateway ${api.url} --token ${token}`))).toBe(`${why}: give another one`)
    },
  )

  test("expired: the same", async () => {
    const { id, token } = await api.createToken("admin", "90d")
    await api.database.query({
      text: "UPDATE majordomo_admin_tokens SET expires_at = now() - interval '1 s' WHERE id = $1",
      values: [id],
    })
    expect(lineOf(await ask(api.url, "usage", token))).toContain("unknown, expired or revoked")
  })

  test("with too small a role: it says which one is needed, and nothing is changed", async () => {
    const { token } = await api.createToken("viewer")
    expect(lineOf(await ask(api.url, "keys create --name Small", token))).toBe(
      "error: this needs the role admin, and viewer has the role viewer: use a token that majordomo-gateway tokens create has made with that role",
    )
    expect((await ask(api.url, "keys list", token)).stdout).not.toContain("Small")
  })

  test("before a large file has been sent, the answer is the same as for any other command", async () => {
    const file = join(home, "bill.csv")
    writeFileSync(file, "date,model,cost\n".padEnd(40_000_000, "2026-11-02,gemini-3-pro,1.25\n"))
    const line = `reconcile import ${file} --provider gemini`
    expect(lineOf(await ask(api.url, line))).toContain("does not accept this admin token")
    const { token } = await api.createToken("viewer")
    expect(lineOf(await ask(api.url, line, token))).toContain("this needs the role admin")
    rmSync(file)
  })

  test("without a token, it says how to get one", async () => {
    expect(lineOf(await run(`usage --gateway ${api.url}`))).toBe(
      `error: the gateway at ${api.url} needs an admin token: run majordomo-gateway login ${api.url}, or give --token`,
    )
  })

  test.each([
    ["an API key", "mdm_sk_0123456789abcdefghijklmnopqrstuvwxyz", "got an API key, and expected an admin token"],
    [
      "a text that no header can have",
      "mdm_admin_“quoted”",
      "expected an admin token, and got a text with characters that no token has",
    ],
    ["two words", "mdm_admin_a b", "expected an admin token, and got a text with characters that no token has"],
  ])("%s is wrong usage, and its text is neither sent nor repeated", async (_, token, message) => {
    const line = lineOf(await ask(CLOSED, "usage", token), 2)
    expect(line).toContain(`error: MAJORDOMO_ADMIN_TOKEN: ${message}`)
    expect(line).not.toContain(token.slice(7))
  })
})

describe("a gateway that does not answer as one", () => {
  test("nothing listens: it says so, with the reason", async () => {
    expect(lineOf(await ask(CLOSED))).toBe(
      `error: no gateway answers at ${CLOSED} (ECONNREFUSED): start it, or correct the address`,
    )
    expect(lineOf(await ask("http://127.0.0.1:9"))).toContain("cannot be reached (bad port), because HTTP clients")
    expect(lineOf(await ask("http://gateway.invalid"))).toMatch(
      /^error: the gateway at http:\/\/gateway\.invalid cannot be reached \((ENOTFOUND|EAI_AGAIN)\), because /,
    )
  })

  test.each([200, 404])("a web page with status %i: it is not the admin API", async (status) => {
    const url = `http://${await answer(status, "text/html", HTML)}`
    for (const line of ["keys list", "usage --json", "usage tail", "keys create --name x"]) {
      expect(lineOf(await ask(url, line))).toBe(
        `error: ${url} is not the admin API of a gateway (status ${status}): correct the address`,
      )
    }
  })

  test.each([502, 503, 504])(
    "the page of a proxy with status %i: the gateway behind it does not answer",
    async (status) => {
      const url = `http://${await answer(status, "text/html", HTML)}`
      expect(lineOf(await ask(url))).toBe(
        `error: a proxy answers at ${url}, and the gateway behind it does not (status ${status}): start it`,
      )
    },
  )

  test("a redirect is not followed, because it would take the token along", async () => {
    const url = `http://${await answer(308, "text/html", HTML, { Location: "https://elsewhere.example/" })}`
    expect(lineOf(await ask(url))).toBe(
      `error: ${url} is not the admin API of a gateway (status 308), which redirects to https://elsewhere.example/: correct the address`,
    )
  })

  test("a gateway says by itself that it does not know the name by which it was asked", async () => {
    const forwarder = await serve((asked, response) => {
      const headers = { ...asked.headers, host: "gateway.example.com" }
      request(`${api.url}${asked.url}`, { headers }, (answered) => {
        response.writeHead(answered.statusCode!, answered.headers)
        answered.pipe(response)
      }).end()
    })
    expect(lineOf(await ask(`http://${forwarder}`))).toBe(
      `error: http://${forwarder} answers with status 403: The Host of this request is not a name of this gateway. Use its address, or add the name to admin.hosts.`,
    )
  })

  test("a gateway without an admin API: it names the settings", async () => {
    const body = JSON.stringify({ error: { message: "no such path", code: "unknown_path" } })
    const url = `http://${await answer(404, "application/json", body)}`
    expect(lineOf(await ask(url))).toBe(
      `error: the gateway at ${url} has no admin API there: see its admin.enabled and admin.port`,
    )
  })

  test("an older gateway without a route or a parameter: it says so", async () => {
    const problem = (status: number, more: object) =>
      answer(status, "application/problem+json", JSON.stringify({ type: "about:blank", title: "x", status, ...more }))
    const route = { code: "not_found", detail: "there is no such route; /api/v1/openapi.json lists all" }
    const older = `http://${await problem(404, route)}`
    expect(lineOf(await ask(older, "limits list"))).toBe(
      `error: the gateway at ${older} does not know this command, because it is older: upgrade it`,
    )
    const parameter = { code: "invalid_input", detail: "there is no such parameter", field: "locked_metadata" }
    const old = `http://${await problem(400, parameter)}`
    expect(lineOf(await ask(old, "keys create --name x --locked-metadata a=b"))).toBe(
      `error: the gateway at ${old} does not know --locked-metadata, because it is older: upgrade it, or leave the option out`,
    )
  })

  test("a connection that ends before the answer: a command that changes something may have done it", async () => {
    const closing = `http://${await serve((_, response) => response.destroy())}`
    expect(lineOf(await ask(closing))).toMatch(
      /closed the connection without an answer \(\w+\): run it again; if it speaks/,
    )
    expect(lineOf(await ask(closing, "keys create --name x"))).toMatch(
      /\): it is not known whether it was done, so look /,
    )
    const url = `http://${await serve((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(": waiting\n\n", () => response.destroy())
    })}`
    expect(lineOf(await ask(url))).toMatch(/ended before the answer \(\w+\): run it again$/)
    expect(lineOf(await ask(url, "keys create --name x"))).toMatch(
      /ended before the answer \(\w+\): it is not known whether it was done, so look before you run it again$/,
    )
  })
})

describe("TLS", () => {
  const startTls = (name: string) =>
    serve(
      () => {},
      createTlsServer({
        cert: readFileSync(new URL(`${name}.crt`, TLS)),
        key: readFileSync(new URL(`${name}.key`, TLS)),
      }),
    )

  test("a certificate of an unknown authority: it says what trusts it", async () => {
    expect(lineOf(await ask(`https://${await startTls("server")}`))).toMatch(
      /cannot be reached \(\w+\), because this machine does not trust the authority .* NODE_EXTRA_CA_CERTS/,
    )
  })

  test("http:// and https:// in place of each other", async () => {
    const plain = await answer(200, "text/html", HTML)
    expect(lineOf(await ask(`https://${plain}`))).toMatch(
      /because it does not speak TLS: write http:\/\/ in place of https:/,
    )
    const secure = await startTls("server")
    expect(lineOf(await ask(`http://${secure}`))).toMatch(/if it speaks TLS, write https:\/\/ in place of http:\/\/$/)
  })
})

describe("login", () => {
  test("stores an address and a token that work, for this user only, and nothing else", async () => {
    const { token } = await api.createToken("viewer")
    const page = `http://${await answer(200, "text/html", HTML)}`
    for (const [line, input, code, message] of [
      ["login", token, 2, "URL is missing"],
      ["login gateway.example.com", token, 2, "URL: expected an address such as https://gateway.example.com"],
      [`login ${CLOSED}`, token, 1, `no gateway answers at ${CLOSED} (ECONNREFUSED)`],
      [`login ${page}`, token, 1, "is not the admin API of a gateway (status 200)"],
      [`login ${api.url}`, "", 2, "no token was given"],
      [`login ${api.url}`, "mdm_sk_1", 2, "the token: got an API key"],
      [`login ${api.url}`, "mdm_admin_1", 1, "does not accept this admin token"],
    ] as const) {
      expect(lineOf(await run(line, {}, input), code)).toContain(message)
    }
    expect(lineOf(await run("keys list --config none.yaml"))).toContain("none.yaml")
    expect(() => statSync(loginFile)).toThrow("ENOENT")

    expect((await run(`login ${api.url}/dashboard/#keys`, {}, `${token}\n`)).stdout).toContain(
      `at ${api.url} from now on`,
    )
    expect(statSync(loginFile).mode & 0o777).toBe(0o600)
    expect((await run("keys list")).code).toBe(0)
    // The same address in another spelling has the same token.
    expect((await run(`keys list --gateway ${api.url.toUpperCase().replace("HTTP", "http")}/`)).code).toBe(0)
    chmodSync(loginFile, 0o644)
    await run(`login ${api.url}/api/v1`, {}, token)
    expect(statSync(loginFile).mode & 0o777).toBe(0o600)
    await run("login --forget")
  })

  test("a token that was revoked since then: the advice is to sign in again", async () => {
    const { id, token } = await api.createToken("viewer")
    await run(`login ${api.url}`, {}, token)
    await api.database.query({
      text: "UPDATE majordomo_admin_tokens SET revoked_at = now() WHERE id = $1",
      values: [id],
    })
    expect(lineOf(await run("usage"))).toContain(`: run majordomo-gateway login ${api.url}, or give --token`)
    await run("login --forget")
  })
})

describe("words that an address cannot contain", () => {
  test.each(["keys get ", "usage request ", "usage run ..", "limits get .", "pricing get "])(
    "%j is rejected as an argument, and asks for nothing else",
    async (line) => {
      const { token } = await api.createToken("admin")
      const { code, stdout, stderr } = await ask(api.url, line, token)
      expect([Number(code) > 0, stdout]).toEqual([true, ""])
      expect(stderr).not.toMatch(/older|internal|bug/)
    },
  )
})

describe("much output", () => {
  test("20,000 rows arrive whole, in order, as they are read", async () => {
    const { token } = await api.createToken("auditor")
    await client.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at,
      responded_at, response_time_ms, status_code, created_at, request_body, raw_metadata)
      SELECT 'p', 'm', '/', 'POST', t, t, 1, 200, t, '{"n":1}',
        CASE WHEN n % 50 = 0 THEN jsonb_build_object('User-Id', 'user ' || n) END
      FROM generate_series(1, 20000) n, LATERAL (SELECT '2025-06-01Z'::timestamptz + n * interval '1 s') AS at(t)`)
    const period = "--since 2025-06-01 --until 2025-06-30"
    const exported = await ask(api.url, `usage export --bodies ${period}`, token)
    expect([exported.code, exported.stderr]).toEqual([0, expect.stringContaining("20,000 requests exported")])
    const times = exported.stdout
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text).requested_at as string)
    expect([times.length, times.at(-1)]).toEqual([20_000, "2025-06-01T05:33:20.000Z"])
    expect(times).toEqual(times.toSorted())
    const csv = await ask(api.url, `usage --by User-Id --csv --limit 10000 ${period}`, token)
    expect([csv.code, csv.stdout.trimEnd().split("\n").length]).toEqual([0, 402])
  })
})

describe("usage tail", () => {
  test("Ctrl-C ends it with 0, and an outage of the gateway does not: each row is shown once", async () => {
    const { token } = await api.createToken("viewer")
    const door = createDoor(Number(new URL(api.url).port))
    const port = await door.open()
    const insert = async (model: string) => {
      await insertRows(client, [{ model, at: new Date().toISOString() }])
    }
    for (const model of ["old", "older", "first"]) await insert(model)
    const steps: (readonly [text: string, next: () => unknown])[] = [
      ["first", () => insert("second")],
      ["second", () => door.close()],
      ["waiting for it to come back", () => insert("meanwhile").then(() => door.open(port))],
      ["meanwhile", () => insert("last")],
    ]
    let said = ""
    const ran = await runInProcess(["usage", "tail", "--limit", "1", "--json"], {
      env: {
        HOME: home,
        PATH: "",
        MAJORDOMO_GATEWAY_URL: `http://127.0.0.1:${port}`,
        MAJORDOMO_ADMIN_TOKEN: token,
      },
      onOutput(_, piece, pressCtrlC) {
        said += piece
        if (steps.length > 0 && said.includes(steps[0]![0])) void steps.shift()![1]()
        else if (said.includes('"last"')) pressCtrlC()
      },
    })
    door.close()
    expect(ran.code).toBe(0)
    expect(ran.stderr).toBe(
      "The gateway or its database is gone; waiting for it to come back (Ctrl-C ends).\nThe database answers again.\n",
    )
    const models = ran.stdout
      .trimEnd()
      .split("\n")
      .map((text) => JSON.parse(text).model as string)
    expect(models).toEqual(["first", "second", "meanwhile", "last"])
  })

  /** Forwards the connections of a port, which can be closed and opened again. */
  function createDoor(to: number) {
    const sockets = new Set<Socket>()
    let server = createTcpServer()
    return {
      async open(port = 0): Promise<number> {
        server = createTcpServer((socket) => {
          const far = connect(to, "127.0.0.1")
          for (const each of [socket, far]) sockets.add(each.on("error", () => {}))
          socket.pipe(far).pipe(socket)
        })
        await once(server.listen(port, "127.0.0.1"), "listening")
        return (server.address() as AddressInfo).port
      },
      close() {
        server.close()
        for (const socket of sockets) socket.destroy()
        sockets.clear()
      },
    }
  }
})

test("an address that is none in a file of login is reported with the file", async () => {
  await run("login --forget")
  writeFileSync(loginFile, JSON.stringify({ url: "gateway", token: TOKEN }))
  expect(lineOf(await run("usage"), 2)).toBe(
    `error: ${loginFile}: expected an address such as https://gateway.example.com`,
  )
  rmSync(loginFile)
})
