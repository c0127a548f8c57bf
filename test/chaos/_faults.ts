import type { AddressInfo } from "node:net"
import { connect, createServer, type Socket } from "node:net"
import pg from "pg"
import type { PostgresServer } from "../support/postgres.ts"

/** Something that befalls a database; `heal` ends it. */
export interface Fault {
  readonly name: string
  begin(): Promise<void>
  heal(): Promise<void>
}

/** The way to the database, which can be cut: connections break or, worse, go silent. */
export interface Wire {
  readonly port: number
  cut(): void
  mend(): void
  close(): Promise<void>
}

export async function startWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let isCut = false
  const server = createServer((client) => {
    sockets.add(client)
    client.on("error", () => {}).on("close", () => sockets.delete(client))
    if (isCut) return // taken, and never answered
    const upstream = connect(to, "127.0.0.1")
    sockets.add(upstream)
    upstream.on("error", () => client.destroy()).on("close", () => sockets.delete(upstream) && client.destroy())
    client.on("close", () => upstream.destroy())
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      isCut = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    mend() {
      isCut = false
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const DISCONNECT_GATEWAY =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'majordomo-gateway'"

/** Every fault of a PostgreSQL that belongs to the test alone. `url`: to the gateway's database, past the wire. */
export function faultsOf(server: PostgresServer, wire: Wire, url: string): Fault[] {
  const hogs: pg.Client[] = []
  const sql = (text: string) => runOnce(url, text)
  const fill = async () => {
    for (;;) {
      const client = new pg.Client({ connectionString: url })
      client.on("error", () => {})
      try {
        await client.connect()
        hogs.push(client)
      } catch {
        return
      }
    }
  }
  const release = async () => void (await Promise.all(hogs.splice(0).map((client) => client.end())))
  return [
    { name: "restarted", begin: () => server.stop(), heal: () => server.start() },
    { name: "killed", begin: () => server.kill(), heal: () => server.start() },
    { name: "frozen", begin: () => server.freeze(), heal: () => server.thaw() },
    { name: "unreachable", begin: async () => wire.cut(), heal: async () => wire.mend() },
    {
      name: "out of connections",
      async begin() {
        for (;;) {
          await fill() // takes what the gateway was just made to let go of, before the gateway does
          const { rowCount } = await hogs[0]!.query(DISCONNECT_GATEWAY)
          if (rowCount === 0) return
        }
      },
      heal: release,
    },
    {
      name: "read-only",
      begin: () => sql("ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()"),
      heal: () =>
        sql(
          "SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()",
        ),
    },
    {
      name: "disk full (53100)",
      begin: () =>
        sql(`CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE EXCEPTION 'could not extend file: no space left on device' USING ERRCODE = '53100'; END $$;
          CREATE TRIGGER no_room BEFORE INSERT ON llm_requests FOR EACH STATEMENT EXECUTE FUNCTION no_room()`),
      heal: () => sql("DROP TRIGGER no_room ON llm_requests"),
    },
    {
      name: "table locked",
      async begin() {
        const client = new pg.Client({ connectionString: url })
        await client.connect()
        hogs.push(client)
        await client.query("BEGIN; LOCK TABLE llm_requests IN ACCESS EXCLUSIVE MODE")
      },
      heal: release,
    },
  ]
}

/** Statements of one text must be simple ones where ALTER SYSTEM is among them: it refuses a transaction. */
async function runOnce(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const statements = text.includes("ALTER SYSTEM") ? text.split("; ") : [text]
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}
