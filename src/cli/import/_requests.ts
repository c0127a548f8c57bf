import { imports } from "../../api/routes/imports.ts"
import { CommandError } from "../../core/errors.ts"
import { type ImportSourceName, readFromDatabase } from "../../operations/imports/from-database.ts"
import type { ImportResult } from "../../operations/imports/summary.ts"
import { call, checkInput, REMOTE } from "../_call.ts"
import { JSON_OPTION } from "../_command.ts"
import type { RemoteArgs } from "../_gateway.ts"
import { findInputFile } from "../_input-file.ts"
import { printJson } from "../_print.ts"
import { createByteProgress } from "../_progress.ts"
import { printImport } from "./_print.ts"

/** The options of every command that imports requests. */
export const IMPORT_OPTIONS = {
  key: { type: "string", valueHint: "KEY", description: "attribute the requests to this API key (id or name)" },
  since: { type: "string", valueHint: "WHEN", description: "only from then on: 30d, 2026-11-01, today or month" },
  until: { type: "string", valueHint: "WHEN", description: "only up to then; a date includes its whole day" },
  reprice: {
    type: "boolean",
    description: "price the requests by their tokens, at the prices of their time",
  },
  "dry-run": { type: "boolean", description: "say what would be imported, and change nothing" },
  ...JSON_OPTION,
  ...REMOTE,
} as const

export const FILE_ARGUMENT = {
  type: "positional",
  required: false,
  description: "the export (CSV, JSON or JSON lines, also with gzip); - reads stdin",
  valueHint: "FILE",
} as const

export const FROM_OPTION = {
  type: "string",
  valueHint: "URL",
  description: "read its PostgreSQL, in place of a file",
} as const

interface ImportArgs extends RemoteArgs {
  readonly file?: string | undefined
  readonly from?: string | undefined
  readonly key?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly reprice?: boolean | undefined
  readonly "dry-run"?: boolean | undefined
  readonly json?: boolean | undefined
}

/** Imports the requests of a file or of a database, here or on a gateway from afar, and prints what was imported. */
export async function runImport(source: ImportSourceName, args: ImportArgs): Promise<void> {
  const { key, since, until } = args
  const input = {
    source,
    key,
    since,
    until,
    reprice: args.reprice ? ("true" as const) : ("false" as const),
    dry_run: args["dry-run"] ? ("true" as const) : ("false" as const),
  }
  checkInput(imports.create, input)
  const result: ImportResult = await call(args, imports.create, input, { file: await openSource(source, args) })
  if (args.json) printJson(result)
  else printImport(result)
  if (result.bad > 0) process.exitCode = 1
}

/** @throws CommandError if there is no file, or it cannot be read */
async function openSource(source: ImportSourceName, { file, from }: ImportArgs): Promise<AsyncIterable<Uint8Array>> {
  if ((file === undefined) === (from === undefined)) {
    throw new CommandError(from === undefined ? "FILE is missing" : "either FILE or --from, not both", 2)
  }
  if (from !== undefined) return readFromDatabase(source, from)
  if (file === "-") return process.stdin
  const { size, pieces } = await findInputFile(file!, "an export")
  return withProgress(pieces, size)
}

/** Shows how much of a file is read. */
async function* withProgress(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const progress = createByteProgress()
  let done = 0
  try {
    for await (const piece of pieces) {
      done += piece.length
      progress.update(done, size)
      yield piece
    }
  } finally {
    progress.end()
  }
}
