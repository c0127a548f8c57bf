import "./_typescript.mjs"
const { findDimension } = await import("../src/reports/index.ts")
const { withAsker } = await import("../src/operations/usage/asker.ts")
const { measureLatency } = await import("../src/operations/usage/latency.ts")
const { reportErrors } = await import("../src/operations/usage/errors.ts")
const { openDatabase } = await import("../src/database/open.ts")
const base = process.argv[2]
const open = (n) => openDatabase({ driver: "postgres", dataDir: "", postgres: { isSet: true, url: `${base}/${n}` } }, { role: "command", log: () => {} })
const db = await open("new"), old = await open("old")
const { rows: [{ now }] } = await db.query("SELECT max(created_at) AS now FROM llm_requests")
const midnight = Math.floor(Number(now) / 86_400_000) * 86_400_000
async function p(work, n = 9) { await work(); const t = []; for (let i = 0; i < n; i++) { const s = performance.now(); await work(); t.push(performance.now() - s) } t.sort((a, b) => a - b); return `${t[n >> 1].toFixed(0)}/${t.at(-1).toFixed(0)}` }
const since = midnight - 29 * 86_400_000
for (const [by, tz, filters] of [[[], "UTC"], [["model"], "UTC"], [["provider"], "UTC"], [["key"], "UTC"], [["day"], "UTC"], [["hour"], "UTC"], [["day", "model"], "UTC"], [["day"], "America/Los_Angeles"], [["key"], "America/Los_Angeles"], [["day"], "Asia/Kolkata"], [["User-Id"], "UTC"], [["Feature"], "UTC"], [["model"], "UTC", { key: "key 7" }]]) {
  const question = { by: by.map((n) => findDimension(n)), period: { since, until: undefined, tz }, filters: filters ?? {} }
  console.log(by.join(), tz, JSON.stringify(filters ?? {}), "latency", await p(() => measureLatency({ database: db }, question)), "errors", await p(() => reportErrors({ database: db }, { ...question, limit: 100 }), 5), "usage new", await p(() => withAsker(db, (a) => a.ask(question)), 5))
}
const q = (ms) => ({ by: [findDimension("model")], period: { since: Number(now) - ms, until: undefined, tz: "UTC" }, filters: {} })
for (const m of [30, 170, 24 * 60]) { let r; console.log(m, "min", await p(async () => { r = await measureLatency({ database: db }, q(m * 60_000)) }), r.approximate, r.total) }
await db.close(); await old.close()
