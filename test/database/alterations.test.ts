import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { findAlterations, findSchemaParts } from "../../src/database/alterations.ts"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaScript } from "../../src/database/schema-script.ts"
import { describeDatabases } from "../support/databases.ts"
import { makeNewerScript, makeOlderScript } from "./_schemas.ts"

/** What partitions have is that of their table. */
const CATALOG = `
  SELECT format('trigger %s of %s', tgname, tgrelid::regclass) AS part FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
  UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT format('unique key of %s (%s)', tablename, substring(indexdef FROM '\\((.*)\\)'))
    FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%' AND indexdef NOT LIKE '% WHERE %'
      AND tablename NOT IN (SELECT relname FROM pg_class WHERE relispartition)
  ORDER BY 1`

describeDatabases("alterations of the schema", (open) => {
  test("every trigger, function and unique key of the catalog is one of the parts that are watched", async () => {
    const db = await open()
    const { rows } = await db.query<{ part: string }>(CATALOG)
    const watched = [...findSchemaParts(readSchemaScript().text).keys()].filter(
      (part) => !/^(?:constraint|partition) /.test(part),
    )
    expect(watched.sort()).toEqual(rows.map(({ part }) => part).sort())
  })

  test("there are none in a new database, in one that was migrated, and in one of another version", async () => {
    expect(await findAlterations((await open()).query)).toEqual([])
    const db = await open({ empty: true })
    expect(await findAlterations(db.query)).toEqual([])
    await migrate(db, undefined, makeOlderScript(2))
    expect(await findAlterations(db.query)).toEqual([])
    await migrate(db)
    expect(await findAlterations(db.query)).toEqual([])
    await migrate(db, undefined, makeNewerScript("DROP TRIGGER majordomo_added ON llm_requests;"))
    expect(await findAlterations(db.query)).toEqual([])
  })

  test("without its default partition, requests may have no place", async () => {
    const db = await open()
    await db.query("ALTER TABLE llm_requests DETACH PARTITION llm_requests_default")
    expect(await findAlterations(db.query)).toEqual(["partition llm_requests_default of llm_requests is missing"])
  })

  test("there are none in a database that began as one of the Go gateway", async () => {
    const db = await open({ empty: true })
    await db.query(readFileSync(new URL("../fixtures/go-schema.sql", import.meta.url), "utf8"))
    await migrate(db)
    expect(await findAlterations(db.query)).toEqual([])
  })
})
