import { createHash } from "node:crypto"
import type { RunQuery } from "./_database.ts"
import { readSchemaScript } from "./schema-script.ts"
import { readSchemaState } from "./schema-state.ts"

/** The parts of the schema without which rows would be counted wrongly or twice, each with its definition. */
type SchemaParts = ReadonlyMap<string, string>

/**
 * Reads these parts from schema.sql: triggers with their function, functions with the digest of their text, unique keys
 * with their columns, the constraints that were added to tables, and the partitions without which rows have no place.
 */
export function findSchemaParts(script: string): SchemaParts {
  const parts = new Map<string, string>()
  for (const [, name, table, run] of script.matchAll(TRIGGER)) parts.set(`trigger ${name} of ${table}`, run!)
  for (const [, name, text] of script.matchAll(FUNCTION)) {
    parts.set(`function ${name}`, createHash("md5").update(text!).digest("hex"))
  }
  for (const [, table, body] of script.matchAll(TABLE)) {
    for (const [, column, columns = column] of body!.matchAll(UNIQUE))
      parts.set(`unique key of ${table} (${columns})`, "")
  }
  for (const [, table, name] of script.matchAll(CONSTRAINT)) parts.set(`constraint ${name} of ${table}`, "")
  for (const [, table, partition] of script.matchAll(PARTITION)) parts.set(`partition ${partition} of ${table}`, "")
  return parts
}

const TRIGGER = /^CREATE (?:OR REPLACE )?TRIGGER (\w+)\s[^;]*?\sON (\w+)\s[^;]*?\sEXECUTE FUNCTION (\w+)\(\);/gm
const FUNCTION = /^CREATE (?:OR REPLACE )?FUNCTION (\w+)\([\s\S]*?\sAS \$\$([\s\S]*?)\$\$;/gm
const TABLE = /^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \(([\s\S]*?)^\);/gm
const UNIQUE = /^ {2}(?:(\w+) [^,-]*(?:PRIMARY KEY|UNIQUE)|PRIMARY KEY \(([^)]*)\))/gm
const CONSTRAINT = /^ALTER TABLE (\w+)\s+ADD CONSTRAINT (\w+)\s+CHECK/gm
/** The default partition. All others may be dropped with their rows. */
const PARTITION = /^ALTER TABLE (\w+) ATTACH PARTITION (\w+) DEFAULT;/gm

/** An index counts only if it covers all rows and is not about to be built. */
const PARTS = `
  WITH ours AS (SELECT relnamespace AS schema FROM pg_class WHERE oid = to_regclass('llm_requests'))
  SELECT format('trigger %s of %s', tgname, c.relname) AS part, p.proname::text AS definition
    FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_proc p ON p.oid = tgfoid JOIN ours ON relnamespace = schema
    WHERE NOT tgisinternal
  UNION ALL SELECT 'function ' || proname, md5(prosrc) FROM pg_proc JOIN ours ON pronamespace = schema
  UNION ALL SELECT format('unique key of %s (%s)', c.relname, (
      SELECT string_agg(attname, ', ' ORDER BY n) FROM unnest(indkey::int2[]) WITH ORDINALITY AS k (attribute, n)
      JOIN pg_attribute ON attrelid = c.oid AND attnum = attribute)), ''
    FROM pg_index JOIN pg_class c ON c.oid = indrelid JOIN ours ON relnamespace = schema
    WHERE indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
  UNION ALL SELECT format('constraint %s of %s', conname, c.relname), ''
    FROM pg_constraint JOIN pg_class c ON c.oid = conrelid JOIN ours ON relnamespace = schema WHERE contype = 'c'
  UNION ALL SELECT format('partition %s of llm_requests', relname), ''
    FROM pg_partitioned_table JOIN pg_class c ON c.oid = partdefid WHERE partrelid = to_regclass('llm_requests')`

let ownParts: SchemaParts | undefined

/**
 * Returns what is missing in the schema, or has another definition than the migrations gave it:
 * `trigger majordomo_added of llm_requests is missing`. Empty if the schema has not the version of this program.
 */
export async function findAlterations(query: RunQuery, timeoutMs?: number): Promise<readonly string[]> {
  const { rows } = await query<{ part: string; definition: string }>({
    text: PARTS,
    ...(timeoutMs !== undefined && { timeoutMs }),
  })
  const found = new Map(rows.map(({ part, definition }) => [part, definition]))
  ownParts ??= findSchemaParts(readSchemaScript().text)
  const alterations = [...ownParts].flatMap(([part, definition]) => {
    const actual = found.get(part)
    return actual === undefined ? [`${part} is missing`] : actual === definition ? [] : [`${part} was changed`]
  })
  if (alterations.length === 0) return []
  return (await readSchemaState(query)).kind === "current" ? alterations : []
}
