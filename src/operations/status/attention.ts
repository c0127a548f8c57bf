import { toUsedPercent } from "../../core/limit.ts"
import { explainReadOnly, readAbility } from "../../database/ability.ts"
import type { Context } from "../context.ts"
import { describeExpiring } from "../keys/expiring.ts"
import { findExhaustedLimits } from "../limits/exhausted.ts"
import { describeFailedDeliveries } from "../notifications/failed.ts"
import type { Replica } from "../open/replica.ts"
import type { Facts } from "./facts.ts"

/** One thing that needs attention. */
export interface Attention {
  /** A notice is something that will become a problem, or that makes numbers incomplete. */
  readonly level: "problem" | "notice"
  readonly message: string
  /** The next step, with the command to type. */
  readonly fix: string
}

const COMMAND = "majordomo-gateway"
/** A busy gateway always has some rows that are on their way. */
const MANY_WAITING = 1000
const MAX_LIST_AGE_MS = 7 * 86_400_000

const toRows = (count: number) => (count === 1 ? "1 row was" : `${count} rows were`)
const problem = (message: string, fix: string): Attention => ({ level: "problem", message, fix })
const notice = (message: string, fix: string): Attention => ({ level: "notice", message, fix })

/** Lists what needs attention, the gravest first. */
export async function listAttention(
  context: Context<"database" | "now"> & { readonly replica: Replica | undefined },
  facts: Facts,
): Promise<readonly Attention[]> {
  const all = [
    ...(await listDatabaseProblems(context)),
    ...listGatewayProblems(facts),
    ...(await listRecordedAttention(context, facts)),
  ]
  return all.toSorted((a, b) => Number(a.level === "notice") - Number(b.level === "notice"))
}

/** Lists what needs attention by what is recorded, whether or not a gateway runs: rows, spending, notifications, bills. */
export async function listRecordedAttention(
  context: Context<"database" | "now">,
  facts: Facts,
): Promise<readonly Attention[]> {
  return [
    ...listRowProblems(facts),
    ...(await listSpending(context, facts)),
    ...(await listUndelivered(context)),
    ...listOldPrices(facts, context.now()),
    ...listBills(facts),
    ...listArchiveProblems(facts),
    ...(await listExpiring(context)),
  ]
}

async function listDatabaseProblems({
  database,
  replica,
}: Parameters<typeof listAttention>[0]): Promise<readonly Attention[]> {
  const ability = await readAbility(database.query)
  const readOnly = explainReadOnly(ability)
  const found = await replica?.check()
  return [
    ...(readOnly ? [problem(`the database accepts no rows: ${readOnly.reason}`, readOnly.fix)] : []),
    ...ability.idleTriggers.map((name) =>
      problem(`trigger ${name} does not run, so reports miss new rows`, `${COMMAND} doctor`),
    ),
    ...ability.alterations.map((fault) => problem(`the schema: ${fault}`, `${COMMAND} doctor`)),
    ...(found?.problem === undefined
      ? []
      : [problem(`the replica ${found.problem}, so reports are read from the primary`, `${COMMAND} doctor`)]),
  ]
}

function listGatewayProblems({ gateways }: Facts): readonly Attention[] {
  const versions = [...new Set(gateways.flatMap(({ version }) => version ?? []))]
  return [
    ...gateways
      .filter((each) => !each.is_recent)
      .map(({ name }) =>
        problem(`the gateway ${name} has not been seen lately`, "start it again, or wait a day: it is then forgotten"),
      ),
    ...(gateways.length === 0 ? [notice("no gateway is running", `${COMMAND} serve`)] : []),
    ...(versions.length > 1
      ? [
          notice(
            `gateways of different versions are running (${versions.join(", ")})`,
            "restart those of the older version",
          ),
        ]
      : []),
  ]
}

function listRowProblems({ rows: { rejected, dropped, waiting } }: Facts): readonly Attention[] {
  return [
    ...(rejected > 0
      ? [problem(`${toRows(rejected)} rejected by the database`, "see rejected.jsonl in the journal")]
      : []),
    ...(dropped > 0
      ? [problem(`${toRows(dropped)} dropped, because they could not be kept`, `${COMMAND} verify`)]
      : []),
    ...(waiting > MANY_WAITING
      ? [notice(`${waiting} rows wait for the database, so reports miss the newest requests`, `${COMMAND} doctor`)]
      : []),
  ]
}

async function listSpending(
  context: Context<"database" | "now">,
  { budgets, unpriced }: Facts,
): Promise<readonly Attention[]> {
  const exhausted = await findExhaustedLimits(context)
  const models = unpriced.models.slice(0, 3).map((model) => model || "(no model)")
  const more = unpriced.models.length > 3 ? " and others" : ""
  const have = unpriced.requests === 1 ? "1 request has" : `${unpriced.requests} requests have`
  return [
    ...exhausted.map((sentence) => problem(sentence, `${COMMAND} limits list`)),
    ...budgets
      .filter(({ share }) => share < 1)
      .map(({ name, value, share }) => {
        const whose = value === null ? "" : ` by ${JSON.stringify(value)}`
        return notice(
          `${toUsedPercent(share)}% of the limit ${JSON.stringify(name)} is used${whose}`,
          `${COMMAND} limits list`,
        )
      }),
    ...(unpriced.requests > 0
      ? [
          notice(
            `${have} no known price in the last 30 days (${models.join(", ")}${more})`,
            `${COMMAND} pricing set --help, then ${COMMAND} pricing reprice --since 30d`,
          ),
        ]
      : []),
  ]
}

async function listUndelivered(context: Context<"database">): Promise<readonly Attention[]> {
  return (await describeFailedDeliveries(context)).map((sentence) => {
    const [message = "", advice = "see notify list"] = sentence.split(/: (?=see notify list)/)
    return problem(message, advice)
  })
}

function listOldPrices({ prices: { stale_since: at } }: Facts, now: number): readonly Attention[] {
  if (at === null || now - Date.parse(at) <= MAX_LIST_AGE_MS) return []
  return [
    problem("a price list could not be fetched for more than a week", `${COMMAND} pricing refresh, which says why`),
  ]
}

function listBills({ reconciliations }: Facts): readonly Attention[] {
  return reconciliations
    .filter((each) => !each.is_within_tolerance)
    .map(({ provider }) =>
      problem(
        `the bill of ${provider} differs from the records by more than is tolerated (reconcile.alert_above)`,
        `${COMMAND} reconcile history`,
      ),
    )
}

function listArchiveProblems({ archive }: Facts): readonly Attention[] {
  if (archive === null || archive.failed === 0) return []
  const days = archive.failed === 1 ? "1 day of the archive is" : `${archive.failed} days of the archive are`
  return [problem(`${days} not verified`, `${COMMAND} archive`)]
}

async function listExpiring({ database, now }: Context<"database" | "now">): Promise<readonly Attention[]> {
  const expiring = await describeExpiring(database, now())
  return expiring === undefined ? [] : [problem(expiring, "see keys list, and keys update ID --expires 90d")]
}
