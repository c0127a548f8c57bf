import { existsSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { listRows } from "../../src/config/rows.ts"
import { toSettingsTable } from "../../src/config/table.ts"
import { PROVIDER_CATALOG } from "../../src/providers/catalog.ts"

const README = new URL("../../README.md", import.meta.url)

test("every setting has its row in the table, with its default", () => {
  const table = toSettingsTable(PROVIDER_CATALOG)
  for (const { path } of listRows()) expect(table).toContain(`| \`${path}\` |`)
  expect(table).toContain("| `server.port` | `7680` | the port; 0 takes a free one |")
  expect(table).toContain("| `providers.gemini.base_url` | `https://generativelanguage.googleapis.com` |")
})

test.skipIf(!existsSync(README))("the README's table is the one of the code (node scripts/settings-table.mjs)", () => {
  const [, between] = readFileSync(README, "utf8").split(/<!-- \/?settings -->/)
  expect(between?.trim()).toBe(toSettingsTable(PROVIDER_CATALOG))
})
