import pg from "pg"
import type { PostgresServer } from "../support/postgres.ts"
import { ask } from "./_ask.ts"
import type { Wire } from "./_wire.ts"

/** A fault of a database. `heal` ends it. */
export interface Fault {
  readonly name: string
  /** Whether the database accepts rows during the fault. */
  readonly mayWrite?: boolean
  begin(): Promise<void>
  heal(): Promise<void>
}

const DISCONNECT_GATEWAY =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'majordomo-gateway'"

const BACKGROUND =
  "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('checkpointer', 'background writer', 'walwriter', 'autovacuum launcher')"

/** All faults for a PostgreSQL that belongs to the test. `url` reaches the gateway's database without the proxy. */
export function faultsOf(server: PostgresServer, wire: Wire, url: string): Fault[] {
  const hogs: pg.Client[] = []
  const stalled: number[] = []
  let checkpoint: Promise<void> | undefined
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
    { name: "behind a narrow line", begin: async () => wire.narrow(), heal: async () => wire.mend() },
    {
      name: "without its checkpointer",
      mayWrite: true,
      async begin() {
        stalled.push(...(await ask<{ pid: number }>(url, BACKGROUND)).map(({ pid }) => pid))
        for (const pid of stalled) process.kill(pid, "SIGSTOP")
        checkpoint = sql("CHECKPOINT").catch(() => {}) // waits for the checkpoint that is stopped
      },
      async heal() {
        for (const pid of stalled.splice(0)) process.kill(pid, "SIGCONT")
        await checkpoint
      },
    },
    {
      name: "out of connections",
      async begin() {
        for (;;) {
          await fill() // takes the connections that the gateway just lost, before the gateway reconnects
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

/** Runs statements one by one, because ALTER SYSTEM cannot run in the transaction of a multi-statement text. */
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
