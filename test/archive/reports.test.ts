import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { readBlocks } from "../docs/_page.ts"
import { postgresAt } from "../support/databases.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase, type TestDatabase } from "../support/postgres.ts"
import { insertRandomUsage } from "../support/random-usage.ts"
import { ACCESS_KEY, BUCKET, type S3Server, SECRET_KEY, startS3 } from "../support/s3.ts"
import { insertKey } from "../support/usage-rows.ts"
import { createFolder, type Folder, run, verify } from "./_archive.ts"
import { askClickHouse, findChdb } from "./_chdb.ts"
import { askDuckDb } from "./_duckdb.ts"

/** ClickHouse signs for it where the address names no region. */
const DEFAULT_REGION = "us-east-1"
const chdb = findChdb()
const BLOCKS = readBlocks("archive.md").filter(({ language, marks }) => language !== "yaml" && marks.has("run"))

/** The gateway stores names of at most 255 characters; other programs may store longer ones, which reports truncate. */
const SHORT_NAMES = "UPDATE llm_requests SET model = left(model, 255) WHERE length(model) > 255"

let home: TestDatabase
let db: Database
let installation: Installation
let folder: Folder
let s3: S3Server

const onS3 = () => ({
  region: DEFAULT_REGION,
  endpoint: s3.endpoint,
  accessKeyId: ACCESS_KEY,
  secretAccessKey: SECRET_KEY,
})

beforeAll(async () => {
  home = await createTestDatabase()
  const client = new pg.Client({ connectionString: home.url })
  await client.connect()
  const keys = [await insertKey(client, "alpha"), await insertKey(client, "beta"), await insertKey(client, "alpha")]
  await client.query(`INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed)
    VALUES ('User-Id', true, true, true), ('Feature', true, true, true)`)
  const period = { since: "2026-11-24T18:00:00Z", until: "2026-11-28T06:00:00Z" }
  await insertRandomUsage(client, { ...period, rows: 3000, keys, seed: 11 })
  await client.query(SHORT_NAMES)
  db = await openPostgres(postgresAt(home.url).postgres)
  folder = createFolder()
  await run(db, { to: folder.path, rowsPerFile: 400 })
  // Rows that come later are in extra files.
  await insertRandomUsage(client, { ...period, rows: 200, keys, seed: 12 })
  await client.query(SHORT_NAMES)
  await run(db, { to: folder.path })
  await client.end()
  installation = createInstallation({ DATABASE_URL: home.url, MAJORDOMO_PRICING_REMOTE_URL: "" })
  s3 = await startS3({ region: DEFAULT_REGION })
})
afterAll(async () => {
  await s3?.close()
  await installation?.remove()
  await db?.close()
  await home?.drop()
  folder?.remove()
})

type Row = Readonly<Record<string, string | number | null>>

/** The report of the gateway, in the form of the queries: one line per group. */
async function readReport(by: string): Promise<readonly string[]> {
  const period = ["--since", "2026-11-25", "--until", "2026-11-27", "--tz", "UTC"]
  const { rows } = (await installation.runJson(["usage", "--by", by, ...period, "--limit", "100000"])) as {
    rows: Row[]
  }
  const groups = new Map<string, Row>()
  for (const row of rows) groups.set(String(by === "key" ? row["key_id"] : row[by]), row)
  return [...groups].map(([group, row]) => toLine(group, row)).sort()
}

function toLine(group: string, row: Row): string {
  // A report says 0 where nothing is on the bill; the sum of no rows is NULL.
  const cost = row["total_cost"] === null ? "0" : String(row["total_cost"])
  const plain = cost.includes(".") ? cost.replace(/0+$/, "").replace(/\.$/, "") : cost
  const counts = ["requests", "input_tokens", "output_tokens", "unpriced"].map((name) => String(row[name]))
  return [group, ...counts, plain].join(" | ")
}

describe("the queries of docs/archive.md return what the reports of the gateway return, to the last digit", () => {
  const titled = BLOCKS.map((block) => {
    const engine = block.marks.get("run")!
    return [
      `${engine} by ${block.marks.get("by")}${block.marks.has("on") ? ` on ${block.marks.get("on")}` : ""}`,
      block,
    ] as const
  })
  test.for(titled)("%s", async ([, block], { skip }) => {
    const by = block.marks.get("by")!
    const isS3 = block.marks.get("on") === "s3"
    if (isS3) {
      const to = `s3://${BUCKET}/llm`
      await db.query("DELETE FROM llm_archive_days; DELETE FROM llm_archive_late")
      await run(db, { to, rowsPerFile: 400, s3: onS3() })
      expect(await verify(db, { to, s3: onS3() })).toMatchObject({ balanced: true, rows: 3200 })
    }
    const sql = block.text
      .replaceAll("/srv/archive", folder.path)
      .replaceAll("https://my-bucket.s3.eu-central-1.amazonaws.com", `${s3.endpoint}/${BUCKET}`)
      .replaceAll("ACCESS_KEY_ID", ACCESS_KEY)
      .replaceAll("SECRET_ACCESS_KEY", SECRET_KEY)
    skip(block.marks.get("run") === "clickhouse" && chdb === undefined, "the package chdb is not installed")
    const found = block.marks.get("run") === "duckdb" ? await askDuckDb(sql) : await askClickHouse(chdb!, sql)
    const lines = found.map((row) => toLine(String(row[by]), row)).sort()
    expect(lines).toEqual(await readReport(by))
    expect(lines.length).toBeGreaterThan(1)
  })
})
