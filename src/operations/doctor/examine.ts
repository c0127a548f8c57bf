import type { LoadedSettings } from "../../config/load.ts"
import { CommandError } from "../../core/errors.ts"
import type { Context } from "../context.ts"
import { checkS3 } from "./bodies.ts"
import { checkDatabase } from "./database.ts"
import { checkDirectory } from "./directory.ts"
import { type Finding, findingsOf } from "./finding.ts"
import { checkGateway } from "./gateway.ts"
import { checkNotifications } from "./notifications.ts"
import { checkPrices } from "./prices.ts"
import { checkProviders } from "./providers.ts"
import { checkRecords } from "./records.ts"

export type { Finding }

const CHECKS = [
  checkDirectory,
  checkDatabase,
  checkRecords,
  checkS3,
  checkPrices,
  checkProviders,
  checkNotifications,
  checkGateway,
]

/** Checks everything that the gateway needs. Settings that are not valid are a finding too, and end the examination. */
export async function examine({
  loadSettings,
  log,
}: Context<"log"> & { loadSettings(): Promise<LoadedSettings> }): Promise<readonly Finding[]> {
  const { ok, warning, problem } = findingsOf("settings")
  let loaded: LoadedSettings
  try {
    loaded = await loadSettings()
  } catch (error) {
    if (error instanceof CommandError) return [problem(error.message, "correct them: nothing else was checked")]
    throw error
  }
  const findings = [ok(describeSources(loaded)), ...loaded.warnings.map((text) => warning(text))]
  for (const check of CHECKS) findings.push(...(await check({ settings: loaded.settings, log })))
  return findings
}

function describeSources({ sources }: LoadedSettings): string {
  const used = new Set(Object.values(sources).filter((source) => source !== "default"))
  return used.size === 0 ? "all are the defaults" : `from ${[...used].join(", ")}`
}
