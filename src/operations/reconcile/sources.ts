import { BILLED_PROVIDERS, BILLING_CREDENTIALS, getBillingCredential } from "../../config/billing-credentials.ts"
import { toVariable } from "../../config/rows.ts"
import type { Settings } from "../../config/settings.ts"
import { type BillSource, createSource } from "../../reconcile/sources/index.ts"

/** Creates the reader of a provider's bill; undefined if its credential is not set. */
export function openSource(
  provider: string,
  settings: Pick<Settings, "reconcile" | "upstream">,
  now: () => number,
): BillSource | undefined {
  const name = BILLED_PROVIDERS.find((each) => each === provider)
  const credential = name && getBillingCredential(name, settings)
  if (name === undefined || credential === undefined) return undefined
  const { openai, anthropic } = settings.reconcile
  return createSource(name, {
    credential,
    baseUrl: settings.reconcile[name].baseUrl,
    ...(name === "openai" && openai.projects.length > 0 && { projects: openai.projects }),
    ...(name === "anthropic" && anthropic.workspaces.length > 0 && { workspaces: anthropic.workspaces }),
    proxies: settings.upstream.proxies,
    now,
  })
}

/** Returns the aliases of a provider's API keys by the ids that it gives them. */
export function getKeyAliases(
  provider: string,
  { reconcile }: Pick<Settings, "reconcile">,
): ReadonlyMap<string, string> {
  const name = BILLED_PROVIDERS.find((each) => each === provider)
  return new Map(name === undefined ? [] : Object.entries(reconcile[name].keys))
}

/** Says what to set so that the bill of a provider can be read. */
export function explainCredential(provider: string): string {
  const name = BILLED_PROVIDERS.find((each) => each === provider)
  const byFile = `import a file of it: majordomo-gateway reconcile import FILE --provider ${provider}`
  if (name === undefined) return byFile
  const { setting, variable } = BILLING_CREDENTIALS[name]
  return `set ${setting} (${toVariable(setting)}, or ${variable}), or ${byFile}`
}
