import type { Variables } from "./environment.ts"
import type { Settings } from "./settings.ts"
import type { SourcedValue } from "./sources.ts"

/** The settings of the credentials with which bills are read, with the variables that other programs read too. */
export const BILLING_CREDENTIALS = {
  openai: { setting: "reconcile.openai.admin_key", variable: "OPENAI_ADMIN_KEY" },
  anthropic: { setting: "reconcile.anthropic.admin_key", variable: "ANTHROPIC_ADMIN_KEY" },
  openrouter: { setting: "reconcile.openrouter.provisioning_key", variable: "OPENROUTER_PROVISIONING_KEY" },
} as const

/** Adds the credentials of those variables whose settings are not set. */
export function readBillingCredentials(sourced: readonly SourcedValue[], env: Variables): readonly SourcedValue[] {
  const added = Object.values(BILLING_CREDENTIALS).flatMap(({ setting, variable }) => {
    const value = env[variable]
    const isSet = sourced.some(({ path, value }) => path === setting && value !== "")
    return isSet || !value ? [] : [{ path: setting, value, source: variable, dir: "" }]
  })
  return [...sourced, ...added]
}

/** A provider whose bill the gateway can read. */
type BilledProvider = keyof typeof BILLING_CREDENTIALS

/** The providers whose bills the gateway can read, if their credential is set. */
export const BILLED_PROVIDERS = Object.keys(BILLING_CREDENTIALS) as readonly BilledProvider[]

/** Returns the credential with which the bill of a provider is read; undefined if it is not set. */
export function getBillingCredential(provider: BilledProvider, { reconcile }: Pick<Settings, "reconcile">) {
  const { openai, anthropic, openrouter } = reconcile
  return { openai: openai.adminKey, anthropic: anthropic.adminKey, openrouter: openrouter.provisioningKey }[provider]
}

/** Returns the names of the providers whose credential is set. */
export function listConfigured(settings: Pick<Settings, "reconcile">): readonly BilledProvider[] {
  return BILLED_PROVIDERS.filter((provider) => getBillingCredential(provider, settings) !== undefined)
}
