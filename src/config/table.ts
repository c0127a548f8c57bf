import { type ProviderCatalog, toProviderSettings } from "./providers.ts"
import { listRows } from "./rows.ts"

/** Returns the table of docs/settings.md in Markdown. */
export function toSettingsTable(catalog: ProviderCatalog): string {
  const rows = listRows().map(({ path, setting }) => toLine(path, setting.initial, setting.doc))
  const providers = [
    ...Object.entries(catalog.builtIn).map(([name, { baseUrl }]) =>
      toLine(`providers.${name}.base_url`, baseUrl, `base URL of the API of ${name}`),
    ),
    ...Object.entries(catalog.clouds).map(([name, { title, setting }]) =>
      toLine(
        `providers.${name}.${setting.key}`,
        undefined,
        `${setting.key === "region" ? "region" : "base URL"} of ${title}, such as \`${setting.example}\`${catalog.builtIn[name] ? "" : `; the provider \`${name}\` exists if it is set`}`,
      ),
    ),
    ...Object.entries(toProviderSettings(catalog)).map(([key, { doc }]) =>
      toLine(`providers.NAME.${key}`, undefined, `for an additional provider: ${doc}`),
    ),
  ]
  const at = rows.findIndex((row) => row.startsWith("| `logging."))
  return [
    "| setting | default | meaning |",
    "|---|---|---|",
    ...rows.slice(0, at),
    ...providers,
    ...rows.slice(at),
  ].join("\n")
}

function toLine(path: string, initial: unknown, doc: string): string {
  return `| \`${path}\` | ${initial === undefined ? "–" : `\`${initial}\``} | ${doc} |`
}
