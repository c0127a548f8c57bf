import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeSchema } from "../../build/schema/index.ts"
import { readMigrations } from "../../build/schema/migrations.ts"
import { toSchemaScript as assembleScript } from "../../build/schema/script.ts"
import type { Database } from "../../src/database/_database.ts"
import { readSchemaScript, type SchemaScript, toSchemaScript } from "../../src/database/schema-script.ts"
import { aRecord } from "./_ledger.ts"

/** What partitions have is that of their table, under names that tell which one was the table before. */
const PARTITIONS = "SELECT oid FROM pg_class WHERE relispartition AND relkind = 'r'"

/**
 * All that two schemas can differ in, one line each: columns with types and defaults (in any order), constraints, indexes,
 * triggers, functions with their settings and their source; and the bounds of partitions.
 */
export async function describeSchema(db: Pick<Database, "query">): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(`
    SELECT format('column %s.%s %s %s %s', c.relname, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)) AS line
      FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
        AND c.oid NOT IN (${PARTITIONS})
    UNION ALL SELECT format('constraint %s.%s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conrelid NOT IN (${PARTITIONS})
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid
      WHERE relnamespace = 'public'::regnamespace AND indrelid NOT IN (${PARTITIONS})
    UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid NOT IN (${PARTITIONS})
    UNION ALL SELECT format('view %s: %s', viewname, definition) FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
      WHERE stxnamespace = 'public'::regnamespace AND stxrelid NOT IN (${PARTITIONS})
    UNION ALL SELECT format('partition %s %s', relname, pg_get_expr(relpartbound, oid)) FROM pg_class WHERE relispartition AND relkind = 'r'
    UNION ALL SELECT format('sequence %s', relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
    UNION ALL SELECT format('grant on %s: %s', relname, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl IS NOT NULL
    ORDER BY 1`)
  return rows.map(({ line }) => line)
}

/** The schema.sql of a program that has one migration more than this one. */
export function makeNewerScript(sql: string, { isBreaking = false } = {}): SchemaScript {
  const directory = mkdtempSync(join(tmpdir(), "mdm-migrations-"))
  const version = String(readMigrations("migrations").length + 1).padStart(4, "0")
  const header = `-- ${version} newer\n-- breaking: ${isBreaking ? "yes" : "no"}\n`
  writeFileSync(join(directory, `${version}_newer.sql`), header + sql)
  try {
    return toSchemaScript(makeSchema(directory))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The schema.sql of the program whose newest version was `version`. */
export function makeOlderScript(version: number): SchemaScript {
  const read = (name: string) => readFileSync(`migrations/before/${name}.sql`, "utf8")
  const before = { go: read("go"), goRows: read("go-rows"), unversioned: read("unversioned"), rollups: read("rollups") }
  const migrations = readMigrations("migrations").filter((migration) => migration.version <= version)
  return toSchemaScript(assembleScript(migrations, before))
}

/** The version of this program. */
export const VERSION = readSchemaScript().version

const DROP_BILLING =
  "DROP COLUMN subscription_requests, DROP COLUMN subscription_value, DROP COLUMN subscription_without_value"

/** Makes a database of this version look as if it was made before versions existed. */
export const FORGET_VERSIONS = `
  ALTER TABLE llm_usage_metadata_names DROP COLUMN counted_from, DROP COLUMN indexed_since;
  DROP FUNCTION majordomo_name_index, majordomo_index_name, majordomo_drop_name_index;
  DROP VIEW llm_requests_compat, api_keys_compat, llm_requests_metadata_keys_compat;
  DROP FUNCTION majordomo_amount;
  DROP TABLE llm_imports;
  DROP VIEW llm_requests_full;
  DROP TABLE llm_cards, llm_credential_hashes;
  DROP FUNCTION majordomo_fill;
  ALTER TABLE llm_requests DROP COLUMN card, DROP COLUMN card_values, DROP COLUMN provider_api_key_hash_id;
  DROP INDEX idx_llm_requests_majordomo_key;
  DO $$ DECLARE found record; BEGIN
    ALTER TABLE llm_requests DETACH PARTITION llm_requests_first;
    FOR found IN SELECT name FROM majordomo_partitions() LOOP
      EXECUTE format('ALTER TABLE llm_requests DETACH PARTITION %I', found.name);
      EXECUTE format('INSERT INTO llm_requests_first SELECT * FROM %I', found.name);
      EXECUTE format('DROP TABLE %I', found.name);
    END LOOP;
    DROP TABLE llm_requests;
    ALTER TABLE llm_requests_first RENAME TO llm_requests;
    ALTER INDEX llm_requests_first_pkey RENAME TO llm_requests_pkey;
    ALTER STATISTICS llm_requests_first_run RENAME TO llm_requests_run;
    FOR found IN SELECT relname AS name FROM pg_class WHERE relname LIKE 'llm_requests_first_%' LOOP
      EXECUTE format('ALTER INDEX %I RENAME TO %I', found.name, replace(found.name, 'llm_requests_first', 'idx_llm_requests'));
    END LOOP;
  END $$;
  DROP FUNCTION majordomo_first_id, majordomo_partitions, majordomo_add_partitions, majordomo_detach_partition,
    majordomo_drop_detached, majordomo_analyze_requests;
  DROP TABLE majordomo_migrations, llm_price_history, llm_jobs, llm_job_files, llm_job_items, majordomo_verified,
    majordomo_journals, majordomo_sessions, majordomo_admin_tokens, majordomo_sign_in_codes, llm_audit, provider_api_keys,
    majordomo_price_overrides, llm_reconciliations, llm_bill_lines, majordomo_reconcile_runs;
  DROP TABLE majordomo_notifications, majordomo_deliveries, majordomo_notification_runs;
  DROP TABLE llm_usage_runs;
  DROP FUNCTION majordomo_count_runs, majordomo_count_past_runs;
  DROP TABLE llm_limits, llm_limit_usage, llm_limit_leases CASCADE;
  DROP FUNCTION majordomo_limit_window, majordomo_limit_window_end, majordomo_start_limit, majordomo_limit_requests,
    majordomo_count_limit, majordomo_drop_leases, majordomo_changed_limit, majordomo_tell_limits, majordomo_trim_limits,
    majordomo_lease, majordomo_renew_leases, majordomo_free_leases;
  DROP FUNCTION majordomo_tell_provider_keys;
  DROP FUNCTION majordomo_lock_rollups CASCADE;
  DROP FUNCTION majordomo_only_pruned CASCADE;
  DROP FUNCTION majordomo_tell_prices;
  DROP FUNCTION majordomo_latency;
  DROP FUNCTION majordomo_skip_relayed CASCADE;
  DROP FUNCTION majordomo_drop_reports CASCADE;
  DROP FUNCTION majordomo_is_relayed;
  DROP TABLE llm_archive_days, llm_archive_late, majordomo_archive_lease;
  DROP FUNCTION majordomo_archive_added, majordomo_archive_changed, majordomo_archive_moved CASCADE;
  DROP INDEX idx_llm_requests_unusual;
  ALTER TABLE IF EXISTS llm_request_repricings DROP CONSTRAINT llm_request_repricings_cost_is_number;
  ALTER TABLE IF EXISTS llm_usage_hourly DROP COLUMN latencies, ${DROP_BILLING}, DROP CONSTRAINT llm_usage_hourly_are_numbers;
  ALTER TABLE IF EXISTS llm_usage_hourly_keys DROP COLUMN latencies, ${DROP_BILLING}, DROP CONSTRAINT llm_usage_hourly_keys_are_numbers;
  ALTER TABLE IF EXISTS llm_usage_daily DROP COLUMN latencies, ${DROP_BILLING}, DROP CONSTRAINT llm_usage_daily_are_numbers;
  ALTER TABLE IF EXISTS llm_usage_metadata DROP COLUMN latencies, ${DROP_BILLING}, DROP CONSTRAINT llm_usage_metadata_are_numbers;
  ALTER TABLE IF EXISTS llm_usage_metadata_weekly DROP COLUMN latencies, ${DROP_BILLING}, DROP CONSTRAINT llm_usage_metadata_weekly_are_numbers;
  ALTER TABLE llm_requests DROP COLUMN dialect, DROP COLUMN billing, DROP COLUMN transport, DROP COLUMN websocket_id, DROP COLUMN source, DROP COLUMN provider_request_id, DROP COLUMN usage_key, DROP CONSTRAINT llm_requests_cost_is_number;
  DROP STATISTICS llm_requests_run;
  DROP INDEX idx_llm_requests_run, idx_llm_requests_runs_created_at;
  DELETE FROM llm_usage_metadata_names;
  DROP FUNCTION majordomo_tell_key CASCADE;
  ALTER TABLE api_keys DROP COLUMN expires_at, DROP COLUMN allowed_models, DROP COLUMN allowed_providers,
    DROP COLUMN previous_key_hash, DROP COLUMN previous_key_until;
  ALTER TABLE api_keys DROP COLUMN default_metadata, DROP COLUMN locked_metadata, DROP COLUMN required_metadata;
  ALTER TABLE api_keys DROP COLUMN discount_percent CASCADE, DROP COLUMN provider_keys CASCADE;
  ALTER TABLE majordomo_gateways DROP COLUMN name, DROP COLUMN slot, DROP COLUMN offline_s;
  ALTER TABLE majordomo_schema DROP COLUMN cookie_key, DROP COLUMN runs_since, DROP COLUMN archive_required,
    DROP COLUMN archive_id;
  ALTER TABLE llm_usage_metadata_names DROP COLUMN summed_since, DROP COLUMN changed_at;`

/** Inserts a request by the columns that every version has, and returns its id. */
export async function insertOldRequest(db: Pick<Database, "query">): Promise<string> {
  const { id, provider, model } = aRecord()
  await db.query({
    text: `INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at,
      response_time_ms, status_code) VALUES ($1, $2, $3, '/', 'POST', now(), now(), 1, 200)`,
    values: [id, provider, model],
  })
  return id
}
