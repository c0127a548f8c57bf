import "./_typescript.mjs"
const { findDimension, askUsage, askRollupState, readRollupState, readUsage, askLatency, readLatency, askErrors } = await import("../src/reports/index.ts")
import pg from "pg"
const base = process.argv[2]
for (const n of ["old", "new"]) {
  const c = new pg.Client({ connectionString: `${base}/${n}` }); await c.connect()
  await c.query("SET jit=off; SET work_mem='64MB'; SET max_parallel_workers_per_gather=0")
  const a = ({ text, values }) => c.query(text, values)
  const st = readRollupState((await a(askRollupState())).rows)
  const since = Math.floor(st.now / 86_400_000) * 86_400_000 - 28 * 86_400_000
  for (const by of [["hour"], ["User-Id"], ["model"]]) {
    const q = { by: by.map(findDimension), period: { since, until: undefined, tz: "UTC" }, filters: {} }
    const t = { usage: [], usageRead: [], lat: [], latRead: [] }
    for (let i = 0; i < 9; i++) {
      let s = performance.now(); const r = await a(askUsage(q, st)); t.usage.push(performance.now() - s)
      s = performance.now(); readUsage(r.rows, q); t.usageRead.push(performance.now() - s)
      if (n === "new") { s = performance.now(); const r = await a(askLatency(q, st)); t.lat.push(performance.now() - s); s = performance.now(); readLatency(r.rows, q); t.latRead.push(performance.now() - s) }
    }
    console.log(n, by, Object.entries(t).map(([k, v]) => `${k} ${v.sort((x, y) => x - y)[2]?.toFixed(0)}`).join("  "))
  }
  if (n === "new") { const q = { by: [], period: { since, until: undefined, tz: "UTC" }, filters: {}, limit: 50 }; const e = askErrors(q, st); console.log((await c.query("EXPLAIN (ANALYZE, BUFFERS) " + e.text, e.values)).rows.map((r) => r["QUERY PLAN"]).join("\n")) }
  await c.end()
}
