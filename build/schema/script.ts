import { NAME_FOREIGN_TABLES } from "../../src/database/foreign-tables.ts"
import type { Migration } from "./migrations.ts"

/** The files of migrations/before/: they bring databases from before versions to where version 1 can go on. */
export interface BeforeVersions {
  readonly go: string
  readonly goRows: string
  readonly unversioned: string
  readonly rollups: string
}

/**
 * Makes schema.sql of the migrations: one script that applies what a database lacks, for psql and for the program. Each
 * migration is a text that runs only if its version has not been applied.
 */
export function toSchemaScript(migrations: readonly Migration[], before: BeforeVersions): string {
  const [first, ...others] = migrations
  if (first === undefined) throw new Error("there is no migration")
  const latest = migrations.at(-1)!.version
  return [toHead(latest), toFirst(first, before), ...others.map(toNext), toTail(latest)].join("\n\n")
}

const toHead = (
  latest: number,
) => `-- The whole database of majordomo-gateway, for PostgreSQL 14 and later and for the embedded engine.
-- Generated from migrations/ by \`npm run schema\`: change it there.
--
-- Schema version: ${latest}
--
--   psql -f schema.sql            (or \`majordomo-gateway migrate\`, or simply \`serve\`, which applies it itself)
--
-- It creates a new database and brings an older one to this version with all its rows, also one of the Go gateway. It may
-- be applied again and again while gateways run, and it leaves the schema of a newer version as it is. It is one
-- transaction under one advisory lock, so it applies everything or nothing. It changes nothing in a schema that has tables of
-- another program.

BEGIN;

SET LOCAL client_min_messages = warning;

DO $$ BEGIN PERFORM pg_advisory_xact_lock(7680, 1); END $$;`

const toFirst = (migration: Migration, before: BeforeVersions) => `${toTitle(migration)}

DO $version$
DECLARE
  has_requests boolean := to_regclass('llm_requests') IS NOT NULL;
  is_go boolean := has_requests AND NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass('llm_requests') AND attname = 'cost_status' AND NOT attisdropped);
BEGIN
  IF to_regclass('majordomo_migrations') IS NOT NULL THEN RETURN; END IF;
  -- The last statement of this file says so: psql goes on after an error, and would report each statement after it.
  IF (${NAME_FOREIGN_TABLES}) IS NOT NULL THEN RETURN; END IF;

  IF is_go THEN
    EXECUTE ${quote(before.go)};
    EXECUTE ${quote(before.goRows)};
  END IF;

  IF has_requests THEN
    EXECUTE ${quote(before.unversioned)};
  END IF;

  EXECUTE ${quote(migration.text)};

  IF has_requests THEN
    EXECUTE ${quote(before.rollups)};
  END IF;

  ${toRecord(migration)}
END $version$;`

const toNext = (migration: Migration) => `${toTitle(migration)}

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= ${migration.version} THEN RETURN; END IF;

  EXECUTE ${quote(migration.text)};

  ${toRecord(migration)}
END $version$;`

const toTail = (latest: number) => `DO $$
DECLARE
  latest integer;
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN
    RAISE EXCEPTION 'the schema "%" of the database "%" contains tables of another program (%), so nothing was changed: use a database of its own, or set search_path to a schema of its own',
      current_schema(), current_database(), (${NAME_FOREIGN_TABLES});
  END IF;
  latest := (SELECT max(version) FROM majordomo_migrations);
  IF latest > ${latest} THEN
    RAISE WARNING 'the schema of this database has the version %, and this file has the older version ${latest}: nothing was changed', latest;
  END IF;
END $$;

COMMIT;
`

function toTitle({ version, name }: Migration): string {
  const title = `-- ## Version ${version}: ${name} `
  return `\n${title.padEnd(120, "-")}`
}

function toRecord({ version, name, isBreaking }: Migration): string {
  return `INSERT INTO majordomo_migrations (version, name, breaking) VALUES (${version}, '${name}', ${isBreaking});`
}

function quote(text: string): string {
  const tag = "$migration$"
  if (text.includes(tag)) throw new Error(`a migration may not contain ${tag}`)
  return `${tag}\n${text.trim()}\n${tag}`
}
