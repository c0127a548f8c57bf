import type { Settings } from "../../config/settings.ts"

/**
 * Returns the names of the configured providers that are paid by their tokens. ChatGPT, which is built in, would show each
 * price of OpenAI a second time.
 */
export function listBilledProviders({ providers }: Pick<Settings, "providers">): readonly string[] {
  return Object.keys(providers).filter((name) => providers[name]!.billing !== "subscription")
}
