import { randomUUID } from "node:crypto"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { explainReadOnly } from "../../database/ability.ts"
import { type Diagnosis, diagnose } from "../../database/diagnose.ts"
import { explainServerError } from "../../database/failures.ts"
import { describeBlockers, describeOldSnapshots } from "../../database/ledger/blockers.ts"
import type { Context } from "../context.ts"
import { NoDatabaseError, openForOperation } from "../open/database.ts"
import { openConfiguredReplica } from "../open/replica.ts"
import { type Finding, findingsOf } from "./finding.ts"

const OLDEST_VERSION = 14
const LISTEN_TIMEOUT_MS = 8_000
/** Gateways compare times with those of the database only in steps of seconds. */
const MAX_SKEW_MS = 2_000

/** Reports have ended by then (10 min). */
const MAX_SNAPSHOT_MS = 3_600_000

const { ok, warning, problem } = findingsOf("database")

/** Checks that the database answers, is new enough, has the schema, accepts writes, and delivers notifications. */
export async function checkDatabase(context: Context<"settings" | "log">): Promise<Finding[]> {
  let database: Database | undefined
  try {
    database = await openForOperation(context)
  } catch (error) {
    if (error instanceof NoDatabaseError) return [ok(`${error.message}; serve creates it`)]
    const explained = explainServerError(error)
    if (explained instanceof CommandError) return [problem(explained.message)]
    throw error
  }
  try {
    const diagnosis = await diagnose(database)
    return [
      checkVersion(diagnosis, database),
      checkSchema(diagnosis, context.settings),
      ...checkWrites(diagnosis),
      ...checkTriggers(diagnosis),
      ...checkAlterations(diagnosis),
      ...(await checkLocks(database)),
      ...(await checkSnapshots(database)),
      ...checkClock(diagnosis),
      await checkListen(database),
      ...(await checkReplica(context, database)),
    ]
  } catch (error) {
    const explained = explainServerError(error)
    if (explained instanceof CommandError) return [problem(explained.message)]
    throw error
  } finally {
    await database?.close()
  }
}

async function checkReplica({ settings }: Context<"settings">, database: Database): Promise<Finding[]> {
  const replica = openConfiguredReplica({ settings, database, log: () => {} })
  if (replica === undefined) return []
  const { problem: found, lagMs = 0 } = await replica.check()
  await replica.close()
  if (found === undefined)
    return [ok(`reports are read from the replica, which is ${(lagMs / 1000).toFixed(2)} s behind`)]
  const fix = "let storage.postgres.read_url lead to a streaming standby of this database, or remove it"
  return [warning(`reports are read from the primary, because the replica ${found}`, fix)]
}

function checkVersion({ version }: Diagnosis, { title }: Database): Finding {
  if (version >= OLDEST_VERSION) return ok(`${title}, version ${version}`)
  return problem(`PostgreSQL ${version} is too old`, `use PostgreSQL ${OLDEST_VERSION} or newer`)
}

function checkSchema({ state }: Diagnosis, { storage }: Settings): Finding {
  if (state.kind === "current") return ok("the schema is up to date")
  if (state.kind === "newer")
    return ok(`the schema is newer than this program (version ${state.version}), and compatible`)
  const found = {
    none: "there is no schema yet",
    go: "the schema is the one of the Go gateway",
    older: "the schema is of an older version",
  }[state.kind]
  if (storage.autoMigrate) return ok(`${found}; serve brings it up to date`)
  return problem(`${found}, and storage.auto_migrate is false`, "run majordomo-gateway migrate")
}

function checkWrites({ ability, state, mayWrite, user, schema }: Diagnosis): Finding[] {
  const readOnly = explainReadOnly(ability)
  if (readOnly) return [problem(readOnly.reason, readOnly.fix)]
  if (state.kind === "none" || mayWrite) return []
  const grant = `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${user}`
  return [problem(`the user ${user} may not write the gateway's tables`, `as their owner: ${grant}`)]
}

function checkAlterations({ ability: { alterations } }: Diagnosis): Finding[] {
  if (alterations.length === 0) return []
  const found = `the schema was changed by hand, so reports may be wrong (${alterations.join("; ")})`
  return [problem(found, "create these parts again as in schema.sql, then run majordomo-gateway verify --repair")]
}

function checkTriggers({ ability: { idleTriggers } }: Diagnosis): Finding[] {
  if (idleTriggers.length === 0) return []
  const found = `triggers of the gateway's tables do not run (${idleTriggers.join(", ")}), so reports miss new rows`
  const fix =
    "ALTER TABLE NAME ENABLE TRIGGER ALL, and reset session_replication_role if it is replica; then run majordomo-gateway verify --repair"
  return [problem(found, fix)]
}

/** A batch of rows that waits now. A gateway that runs here also says for how long. */
async function checkLocks(database: Database): Promise<Finding[]> {
  const blockers = await describeBlockers(database)
  if (blockers === undefined) return []
  return [problem(`no gateway can write rows, because a lock is held by ${blockers}`, "end that transaction")]
}

/** Old versions of rows that nothing can remove make every batch and every report slower. */
async function checkSnapshots(database: Database): Promise<Finding[]> {
  const old = await describeOldSnapshots(database, MAX_SNAPSHOT_MS)
  if (old.length === 0) return []
  const found = `the database keeps old versions of rows for a transaction that has been open for long: ${old.join(", ")}`
  return [warning(found, "end it, or set idle_in_transaction_session_timeout")]
}

function checkClock({ skewMs }: Diagnosis): Finding[] {
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return []
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1)
  const fix = "set both by NTP: reports by hour and day use this machine's clock"
  return [warning(`its clock and this machine's clock differ by ${seconds} s`, fix)]
}

/** A pooler in transaction mode accepts LISTEN but delivers nothing. */
async function checkListen(database: Database): Promise<Finding> {
  let onUp = () => {}
  const isUp = new Promise<boolean>((resolve) => {
    onUp = () => resolve(true)
    setTimeout(() => resolve(false), LISTEN_TIMEOUT_MS).unref()
  })
  const listener = await database.listen(`majordomo_doctor_${randomUUID()}`, {
    onNotify: () => {},
    onState: (up) => up && onUp(),
  })
  const works = await isUp
  await listener.close()
  if (works) return ok("LISTEN works: a revoked key is rejected at once")
  return warning(
    "LISTEN does not work: every request looks its key up in the database",
    "connect to the server itself, or to a pooler in session mode (a transaction pooler drops LISTEN)",
  )
}
