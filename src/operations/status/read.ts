import { version } from "../../../package.json"
import { describeStorage } from "../../database/open.ts"
import { readSchemaState, type SchemaState } from "../../database/schema-state.ts"
import { readDatabaseSize } from "../../database/size.ts"
import type { Context } from "../context.ts"
import type { Replica } from "../open/replica.ts"
import { type Attention, listAttention } from "./attention.ts"
import { type Facts, readFacts } from "./facts.ts"

/** Everything that shows whether the gateways of a database are well. Times are ISO 8601 in UTC. */
interface Status extends Facts {
  /** The version of the program that answers. */
  readonly version: string
  readonly database: {
    readonly kind: "postgres" | "embedded"
    readonly title: string
    /** Where it is, in words and without a secret. */
    readonly address: string
    /** Null: it is not known. */
    readonly bytes: number | null
    readonly schema: { readonly state: SchemaState["kind"]; readonly version: number | null }
  }
  /** The replica from which reports are read, as the program that answers sees it; null: there is none. */
  readonly replica: {
    readonly is_used: boolean
    /** null: it is not known. */
    readonly lag_ms: number | null
  } | null
  /** The things that need attention, each with what to do about it. */
  readonly attention: readonly Attention[]
  /** The problems among them, one sentence each. */
  readonly problems: readonly string[]
}

/** Summarizes the state of the gateways, of their database, of the journals, of the prices and of the spending. */
export async function readStatus(
  context: Context<"database" | "settings" | "prices" | "now"> & { readonly replica: Replica | undefined },
): Promise<Status> {
  const { database, settings } = context
  const schema = await readSchemaState(database.query)
  const facts = await readFacts(context)
  const attention = await listAttention(context, facts)
  const replica = await context.replica?.check()
  return {
    version,
    database: {
      kind: database.kind,
      title: database.title,
      address: describeStorage(settings.storage),
      bytes: (await readDatabaseSize(database.query)) ?? null,
      schema: { state: schema.kind, version: "version" in schema ? schema.version : null },
    },
    replica: replica === undefined ? null : { is_used: replica.isUsed, lag_ms: toWhole(replica.lagMs) },
    ...facts,
    attention,
    problems: attention.flatMap(({ level, message, fix }) => (level === "problem" ? [`${message}: ${fix}`] : [])),
  }
}

const toWhole = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms))
