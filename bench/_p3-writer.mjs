import "./_typescript.mjs"
import { readFileSync } from "node:fs"
import pg from "pg"
const { INSERT_ROWS } = await import("../src/database/ledger/insert.ts").then((m) => m).catch(() => ({}))
const { WRITTEN_COLUMNS } = await import("../src/core/row-columns.ts")
const names = WRITTEN_COLUMNS.map(([n]) => n).join(", ")
const defs = WRITTEN_COLUMNS.map(([n, { sql }]) => `${n} ${sql}`).join(", ")
const insert = `INSERT INTO llm_requests (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS row(${defs}) ON CONFLICT (id) DO NOTHING`
const base = process.argv[2], size = Number(process.argv[3] ?? 500), rounds = Number(process.argv[4] ?? 6), total = Number(process.argv[5] ?? 20000)
const meta = process.argv[6] === "meta"
const admin = new pg.Client({ connectionString: base + "/postgres" }); await admin.connect()
const clients = {}, pids = {}
for (const [n, f] of [["wold", "/tmp/p3-old.sql"], ["wnew", "schema.sql"]]) {
  await admin.query(`DROP DATABASE IF EXISTS ${n} WITH (FORCE)`); await admin.query(`CREATE DATABASE ${n}`)
  const c = new pg.Client({ connectionString: `${base}/${n}` }); await c.connect(); await c.query(readFileSync(f, "utf8"))
  await c.query("INSERT INTO api_keys (id, key_hash, name) SELECT ('a0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'k' || n, 'k' || n FROM generate_series(1,50) n")
  if (meta) await c.query("INSERT INTO llm_usage_metadata_names VALUES ('User-Id', true, true, true), ('Feature', true, true, true)")
  clients[n] = c; pids[n] = (await c.query('SELECT pg_backend_pid() AS p')).rows[0].p
}
let seq = 0
const times = { wold: [], wnew: [] }
const u = () => Math.random()
for (let r = 0; r < rounds; r++) for (const n of r % 2 ? ["wnew", "wold"] : ["wold", "wnew"]) {
  const batches = Array.from({ length: Math.ceil(total / size) }, () => JSON.stringify(Array.from({ length: size }, () => {
    const id = (++seq).toString(16).padStart(12, "0"), m = Math.floor(20 * u() ** 2), ms = Math.round(1600 * Math.exp(0.8 * Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(6.283 * u())))
    const at = new Date(Date.UTC(2026, 10, 1) + seq * 500).toISOString()
    return { id: `b0000000-0000-7000-8000-${id}`, majordomo_api_key_id: `a0000000-0000-4000-8000-${String(1 + Math.floor(50 * u() ** 2)).padStart(12, "0")}`, provider: ["openai", "anthropic", "gemini"][m % 3], model: `model-${m}-2026-05-01`, requested_model: `model-${m}`, request_path: "/v1/chat/completions", request_method: "POST", requested_at: at, responded_at: at, created_at: at, response_time_ms: ms, first_byte_ms: ms >> 2, input_tokens: 1000, cached_tokens: 0, cache_creation_tokens: 0, cache_creation_1h_tokens: 0, output_tokens: 100, reasoning_tokens: 0, input_cost: "0.001", output_cost: "0.002", total_cost: "0.003", cost_status: "exact", usage_source: "reported", usage: { prompt_tokens: 1000, completion_tokens: 100 }, price: { lines: [{ side: "input", bucket: "input", rate: "0.15", amount: "0.0001" }] }, status_code: 200, streamed: true, outcome: "complete", raw_metadata: { "User-Id": `u${Math.floor(10000 * u())}`, Feature: `f${Math.floor(8 * u())}` } }
  })))
  const c = clients[n]
  const cpu = () => { const f = readFileSync(`/proc/${pids[n]}/stat`, 'utf8').split(' '); return (Number(f[13]) + Number(f[14])) / 100 }
  const t = cpu()
  for (const b of batches) await c.query(insert, [b])
  times[n].push(batches.length * size / (cpu() - t))
}
const med = (a) => a.sort((x, y) => y - x)[1]
console.log(`batch ${size}${meta ? " meta" : ""}: old ${med(times.wold).toFixed(0)} new ${med(times.wnew).toFixed(0)} rows/s: ${((1 - med(times.wnew) / med(times.wold)) * 100).toFixed(1)} % slower`)
for (const c of Object.values(clients)) await c.end()
await admin.end()
