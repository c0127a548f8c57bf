import { COUNTERS, ROLLUP_TABLES } from "../../src/database/counters.ts"
import { expand } from "./template.ts"

/** The CREATE TABLE statements of the rollup tables, as version 1 has them. */
export function toRollupTables(): string {
  return ROLLUP_TABLES.map(({ name, about, key }) =>
    expand(
      `-- ${about}
CREATE TABLE IF NOT EXISTS ${name} (
  ${key.map((column) => `${column} NOT NULL`).join(",\n  ")},
  {definitions},
  PRIMARY KEY (${key.map((column) => column.split(" ")[0]).join(", ")})
);`,
      COUNTERS.filter(({ addedIn }) => addedIn === undefined),
    ),
  ).join("\n\n")
}
