import { randomUUID } from "node:crypto"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { diagnose } from "../../database/diagnose.ts"
import { openDatabase } from "../../database/open.ts"
import { say as talk } from "../_print.ts"
import { type Finding, finder } from "./_finding.ts"

const OLDEST_VERSION = 14
const LISTEN_PATIENCE_MS = 8_000
/** Gateways compare times with the database's only in steps of seconds. */
const MAX_SKEW_MS = 2_000

const say = finder("database")

/** Whether the configured database answers, is new enough, has our schema, lets us write, and delivers notifications. */
export async function checkDatabase(settings: Settings): Promise<Finding[]> {
  let database: Database
  try {
    database = await openDatabase(settings.storage, { role: "command", log: talk })
  } catch (error) {
    if (error instanceof CommandError) return [say.problem(error.message)]
    throw error
  }
  try {
    return await examine(database, settings)
  } finally {
    await database.close()
  }
}

async function examine(database: Database, settings: Settings): Promise<Finding[]> {
  const seen = await diagnose(database)
  const findings: Finding[] = []
  if (seen.version < OLDEST_VERSION) {
    findings.push(say.problem(`PostgreSQL ${seen.version} is too old`, `use PostgreSQL ${OLDEST_VERSION} or newer`))
  } else findings.push(say.ok(`${database.title}, version ${seen.version}`))
  findings.push(aboutSchema(seen, settings))
  if (seen.isReadOnly) {
    findings.push(say.problem("it takes no writes (a standby, or read-only)", "connect to the primary"))
  } else if (seen.state.kind !== "none" && !seen.mayWrite) {
    findings.push(
      say.problem(
        `the user ${seen.user} may not write our tables`,
        `as their owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${seen.schema} TO ${seen.user}`,
      ),
    )
  }
  const skewMs = Math.abs(seen.skewMs)
  if (skewMs > MAX_SKEW_MS) {
    const text = `its clock and this machine's differ by ${(skewMs / 1000).toFixed(1)} s`
    findings.push(say.warning(text, "set both by NTP: reports by hour and day go by this machine's clock"))
  }
  return [...findings, ...(await checkListening(database))]
}

function aboutSchema({ state }: Awaited<ReturnType<typeof diagnose>>, { storage }: Settings): Finding {
  if (state.kind === "current") return say.ok("the schema is up to date")
  if (state.kind === "newer")
    return say.ok(`the schema is newer than this program (version ${state.version}), and compatible`)
  const what = {
    none: "there is no schema yet",
    go: "the schema is the Go gateway's",
    older: "the schema is of an older version",
  }[state.kind]
  if (storage.autoMigrate) return say.ok(`${what}; serve brings it up to date by itself`)
  return say.problem(`${what}, and storage.auto_migrate is false`, "run majordomo-gateway migrate")
}

/** A pooler in transaction mode takes LISTEN and stays silent. */
async function checkListening(database: Database): Promise<Finding[]> {
  let heard = () => {}
  const isUp = new Promise<boolean>((resolve) => {
    heard = () => resolve(true)
    setTimeout(() => resolve(false), LISTEN_PATIENCE_MS).unref()
  })
  const line = await database.listen(`majordomo_doctor_${randomUUID()}`, {
    onNotify: () => {},
    onState: (up) => up && heard(),
  })
  const works = await isUp
  await line.close()
  if (works) return [say.ok("LISTEN works: a revoked key is refused at once")]
  return [
    say.warning(
      "LISTEN does not work: every request looks its key up in the database",
      "connect to the server itself, or to a pooler in session mode (a transaction pooler drops LISTEN)",
    ),
  ]
}
