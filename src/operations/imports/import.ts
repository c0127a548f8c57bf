import { CommandError } from "../../core/errors.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { recordChange } from "../../database/access/audit.ts"
import { findStored, finishImport, readPrunedBefore, storeImportBatch } from "../../database/imports.ts"
import { listKeys } from "../../database/keys.ts"
import { RecordProblem } from "../../imports/problem.ts"
import { type FileRecord, readRecords } from "../../imports/read-file.ts"
import type { ForeignRequest } from "../../imports/request.ts"
import { IMPORT_SOURCES, type ImportSourceName } from "../../imports/sources/index.ts"
import { FileError } from "../../kit/file-error.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { type ImportResult, ImportSummary } from "./summary.ts"
import { type Origin, toImportedRow, toReading, toRecordedCost } from "./to-row.ts"

/** Rows per transaction, which locks their rollups. */
const BATCH = 500

export interface ImportInput {
  readonly source: ImportSourceName
  /** The id or the name of the API key to which the requests are attributed. */
  readonly key: string | undefined
  /** Only requests that ended at or after this time, in ms since the epoch. */
  readonly since: number | undefined
  readonly until: number | undefined
  /** Prices the requests by their tokens. A request without a price keeps the cost of its source. */
  readonly reprice: boolean
  readonly dryRun: boolean
}

export type ImportContext = Context<"database" | "actor" | "now" | "prices" | "onProgress"> & {
  readonly file: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
}

/**
 * Imports the requests of a file. Each request has one row, however often it is imported, because its id follows from the source's own.
 * Batches are committed one by one, so a run that was interrupted can be repeated.
 *
 * @throws CommandError if the file cannot be read
 */
export async function importRequests(context: ImportContext, input: ImportInput): Promise<ImportResult> {
  const { database, now, file, signal, onProgress } = context
  const { title } = IMPORT_SOURCES[input.source]
  const origin = { id: uuidV7(now()), source: input.source, title, keyId: await findKeyId(context, input.key) }
  const bounds = { since: input.since, until: input.until, prunedBefore: await readPrunedBefore(database) }
  const summary = new ImportSummary()
  const state: ImportState = { summary, origin, bounds, batch: [] }
  try {
    for await (const record of readRecords(file)) {
      signal.throwIfAborted()
      readRecord(record, input, state)
      if (state.batch.length < BATCH) continue
      await storeBatch(context, input, state)
      onProgress(summary.records, summary.records)
    }
  } catch (error) {
    throw error instanceof FileError ? toFileError(error, state) : error
  }
  await storeBatch(context, input, state)
  const isStored = !input.dryRun && summary.requests > 0
  if (isStored) await finishImport(database, origin.id)
  return summary.toResult({ id: isStored ? origin.id : null, source: input.source, dry_run: input.dryRun })
}

interface ImportState {
  readonly summary: ImportSummary
  readonly origin: Origin
  readonly bounds: { readonly [K in "since" | "until" | "prunedBefore"]: number | undefined }
  batch: ForeignRequest[]
}

async function findKeyId({ database }: ImportContext, key: string | undefined): Promise<string | undefined> {
  if (key === undefined) return undefined
  const found = (await listKeys(database)).find(({ id, name }) => id === key || name === key)
  if (found !== undefined) return found.id
  throw new InputError("key", `there is no API key with the id or the name ${JSON.stringify(key)}`)
}

function readRecord(record: FileRecord, { source }: ImportInput, { summary, bounds, batch }: ImportState): void {
  summary.records++
  if ("problem" in record) {
    summary.addBadLine(record.line, record.problem)
    return
  }
  try {
    const request = IMPORT_SOURCES[source].read(record.fields)
    if ("skip" in request) summary.skip(request.skip)
    else if (isOutside(request, bounds)) summary.outside++
    // Without its row, a second import of the request could not be recognized.
    else if (request.endedAt < (bounds.prunedBefore ?? Number.NEGATIVE_INFINITY)) summary.pruned++
    else batch.push(request)
  } catch (error) {
    if (!(error instanceof RecordProblem)) throw error
    summary.addBadLine(record.line, error.message)
  }
}

function isOutside({ endedAt }: ForeignRequest, { since, until }: ImportState["bounds"]): boolean {
  return endedAt < (since ?? Number.NEGATIVE_INFINITY) || endedAt >= (until ?? Number.POSITIVE_INFINITY)
}

async function storeBatch(context: ImportContext, input: ImportInput, state: ImportState): Promise<void> {
  const { database, actor } = context
  const { summary, origin } = state
  const rows = new Map(state.batch.map((request) => [request, toRow(context, input, request, origin)]))
  state.batch = []
  const byId = new Map([...rows.values()].map((row) => [row.id, row]))
  if (byId.size === 0) return
  const unique = [...byId.values()]
  const isFirst = summary.requests === 0
  const added = input.dryRun
    ? await findMissing(context, unique)
    : await storeImportBatch(database, { import: { ...origin, actor: actor.name }, rows: unique }, async (query) => {
        if (isFirst)
          await recordChange(query, actor, { action: "import", target: origin.id, after: { source: origin.source } })
      })
  for (const row of unique) if (added.has(row.id)) summary.add(row)
  summary.known += rows.size - added.size
}

async function findMissing({ database }: ImportContext, rows: readonly LogRecord[]): Promise<ReadonlySet<string>> {
  const ids = rows.map(({ id }) => id)
  const stored = await findStored(database, ids)
  return new Set(ids.filter((id) => !stored.has(id)))
}

function toRow(
  { prices }: ImportContext,
  { reprice }: ImportInput,
  request: ForeignRequest,
  origin: Origin,
): LogRecord {
  const recorded = toRecordedCost(request, origin.title)
  if (!reprice || recorded.status === "free") return toImportedRow(request, recorded, origin)
  const cost = prices.price({
    provider: request.provider,
    requestedModel: request.requestedModel,
    reading: toReading(request),
    at: request.startedAt,
    failed: request.statusCode >= 400,
  })
  return toImportedRow(request, cost.status === "unpriced" ? recorded : cost, origin)
}

function toFileError({ message }: FileError, { summary: { requests } }: ImportState): CommandError {
  if (requests === 0) return new CommandError(message)
  return new CommandError(
    `${message} ${requests} requests before that were imported. Repeat the import with a whole file: it adds only what is missing.`,
  )
}
