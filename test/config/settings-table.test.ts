import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { listRows } from "../../src/config/rows.ts"
import { toSettingsTable } from "../../src/config/table.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"

const PAGE = new URL("../../docs/settings.md", import.meta.url)

test("every setting has a row in the table, with its default", () => {
  const table = toSettingsTable(PROVIDER_CATALOG)
  for (const { path } of listRows()) expect(table).toContain(`| \`${path}\` |`)
  expect(table).toContain("| `server.port` | `7680` | port to listen on; 0 chooses a free port |")
  expect(table).toContain("| `providers.gemini.base_url` | `https://generativelanguage.googleapis.com` |")
})

test("the table of docs/settings.md is the generated one (node scripts/settings-table.mjs)", () => {
  const [, between] = readFileSync(PAGE, "utf8").split(/<!-- \/?settings -->/)
  expect(between?.trim()).toBe(toSettingsTable(PROVIDER_CATALOG))
})
