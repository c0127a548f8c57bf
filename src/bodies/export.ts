import { CommandError } from "../core/errors.ts"
import { type Bodies, BodiesMissing, type BodyReader, type BodyRow, type ReadBody } from "./read.ts"

/** The columns that an exported line contains beside the bodies. */
export interface ExportRow extends BodyRow {
  readonly requested_at: string | Date
  readonly provider: string
  readonly model: string
  readonly request_path: string
  readonly status_code: number
}

/** Objects that are fetched at the same time, because each takes a round trip. Their order is kept. */
const READ_AHEAD = 16
/** After this many failures in a row, the cause is not one object. */
const MAX_FAILURES = READ_AHEAD

/**
 * Yields one JSON line per request that has bodies, in the order of the rows: `{id, requested_at, provider, model,
 * request_path, status_code, request, response}`. A JSON body is in it as JSON, byte for byte except for line ends
 * between its tokens; other text is a string; binary is `{"base64": "…"}`. `"truncated"` names the bodies that are not
 * complete.
 *
 * @param onMissing is called for each row whose bodies cannot be read; the row is left out
 * @throws CommandError when S3 fails for one object after the other
 */
export async function* exportBodies(
  rows: AsyncIterable<ExportRow> | Iterable<ExportRow>,
  reader: BodyReader,
  onMissing: (id: string, reason: string) => void,
): AsyncGenerator<string> {
  let failures = 0
  for await (const read of readAhead(rows, reader)) {
    if (read.bodies !== undefined) {
      failures = 0
      if (read.bodies.source !== "none") yield toLine(read.row, read.bodies)
      continue
    }
    failures = read.error instanceof BodiesMissing ? 0 : failures + 1
    if (failures >= MAX_FAILURES || !(read.error instanceof CommandError)) throw read.error
    onMissing(read.row.id, read.error.message)
  }
}

interface Read {
  readonly row: ExportRow
  readonly bodies?: Bodies
  readonly error?: unknown
}

/** Yields the rows with their bodies, in order, and fetches some of them ahead. */
async function* readAhead(
  rows: AsyncIterable<ExportRow> | Iterable<ExportRow>,
  reader: BodyReader,
): AsyncGenerator<Read> {
  const fetching: Promise<Read>[] = []
  for await (const row of rows) {
    fetching.push(
      reader.read(row).then(
        (bodies) => ({ row, bodies }),
        (error: unknown) => ({ row, error }),
      ),
    )
    if (fetching.length >= READ_AHEAD) yield await fetching.shift()!
  }
  for (const read of fetching) yield await read
}

function toLine(row: ExportRow, { request, response }: Bodies): string {
  const { id, provider, model, request_path, status_code } = row
  const requested_at = new Date(row.requested_at).toISOString()
  const head = JSON.stringify({ id, requested_at, provider, model, request_path, status_code })
  const truncated = Object.entries({ request, response }).flatMap(([name, body]) => (isTruncated(body) ? [name] : []))
  const note = truncated.length === 0 ? "" : `,"truncated":${JSON.stringify(truncated)}`
  return `${head.slice(0, -1)},"request":${toJson(request)},"response":${toJson(response)}${note}}\n`
}

function isTruncated(body: ReadBody): boolean {
  return body.kind !== "none" && body.isTruncated
}

function toJson(body: ReadBody): string {
  switch (body.kind) {
    case "none":
      return "null"
    case "json":
      // A JSON string cannot contain a raw line end, so these are between tokens.
      return body.text.replace(/[\r\n]+/g, " ")
    case "text":
      return JSON.stringify(body.text)
    case "binary":
      return JSON.stringify({ base64: body.base64 })
  }
}
