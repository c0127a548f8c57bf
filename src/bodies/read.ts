import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { CommandError } from "../core/errors.ts"
import { findMembers, MemberNames, type Members, memberValue } from "../kit/json/members.ts"
import { type Bucket, openBucket, type S3Settings } from "./s3/client.ts"

/** The columns of a row that say where its bodies are. */
export interface BodyRow {
  readonly id: string
  readonly request_body: string | null | undefined
  readonly response_body: string | null | undefined
  readonly s3_key: string | null | undefined
}

/** One stored body. `text` is as it was stored; JSON is byte for byte as it passed. */
export type ReadBody =
  | { readonly kind: "none" }
  | { readonly kind: "json" | "text"; readonly text: string; readonly isTruncated: boolean }
  | { readonly kind: "binary"; readonly base64: string; readonly isTruncated: boolean }

export interface Bodies {
  /** `unreadable`: they should be in S3, and could not be read. */
  readonly source: "none" | "postgres" | "s3" | "unreadable"
  readonly request: ReadBody
  readonly response: ReadBody
}

/** Reads the bodies of rows. The bucket is opened for the first row whose bodies are in S3. */
export interface BodyReader {
  /** @throws CommandError when an object does not exist or cannot be read */
  read(row: BodyRow): Promise<Bodies>
  close(): Promise<void>
}

const NONE: ReadBody = { kind: "none" }
const READ_TIMEOUT_MS = 30_000
const READ_ATTEMPTS = 4
/** All exchanges that are captured at the same time have 64 MiB together, and a byte takes up to 6 in JSON. */
const MAX_DOCUMENT_BYTES = 512 * 1024 * 1024

/** S3 answers, and the object does not exist or cannot be read. */
export class BodiesMissing extends CommandError {}

export function createBodyReader(s3: S3Settings): BodyReader {
  let bucket: Promise<Bucket> | undefined
  return {
    async read(row) {
      if (!row.s3_key) return fromColumns(row)
      bucket ??= openBucket(s3, READ_TIMEOUT_MS, { maxAttempts: READ_ATTEMPTS })
      const object = await (await bucket).get(row.s3_key)
      if (object === undefined) {
        throw new BodiesMissing(
          `the bodies of ${row.id} are not in S3: they still wait for their upload, or somebody removed them`,
        )
      }
      try {
        return fromDocument(await promisify(gunzip)(object, { maxOutputLength: MAX_DOCUMENT_BYTES }))
      } catch {
        throw new BodiesMissing(`the bodies of ${row.id} are in S3, but damaged: ${row.s3_key}`)
      }
    },
    async close() {
      ;(await bucket?.catch(() => undefined))?.close()
    },
  }
}

const EXCHANGE_NAMES = new MemberNames(["request", "response"])
const PART_NAMES = new MemberNames(["body", "body_encoding", "body_truncated"])

/** Returns the bodies in a stored document. @throws Error when it is not such a document */
export function fromDocument(document: Buffer): Bodies {
  const members = findMembers(document, EXCHANGE_NAMES, Number.POSITIVE_INFINITY)
  if (!members?.found.request || !members.found.response) throw new Error("the object is not a stored exchange")
  const part = (name: string) => {
    const { start, end } = members.found[name]!
    return fromPart(document.subarray(start, end))
  }
  return { source: "s3", request: part("request"), response: part("response") }
}

function fromPart(part: Buffer): ReadBody {
  const members = findMembers(part, PART_NAMES, Number.POSITIVE_INFINITY)
  const body = members?.found.body
  if (members === undefined || body === undefined) return NONE
  const text = part.toString("utf8", body.start, body.end)
  if (text === "null") return NONE
  const isTruncated = readNote(part, members, "body_truncated") === true
  if (!text.startsWith('"')) return { kind: "json", text, isTruncated }
  const value = JSON.parse(text) as string
  if (readNote(part, members, "body_encoding") === "base64") return { kind: "binary", base64: value, isTruncated }
  return { kind: "text", text: value, isTruncated }
}

function readNote(part: Buffer, { found }: Members, name: string): unknown {
  return memberValue(part, found[name])
}

function fromColumns({ request_body, response_body }: BodyRow): Bodies {
  const request = fromColumn(request_body)
  const response = fromColumn(response_body)
  return { source: request === NONE && response === NONE ? "none" : "postgres", request, response }
}

const CUT = /\n?\[cut: \d+ of \d+ bytes\]$/
const DATA_URL = /^data:[\w.+/-]{1,100};base64,([A-Za-z0-9+/]*={0,2})/

function fromColumn(column: string | null | undefined): ReadBody {
  if (column === null || column === undefined) return NONE
  const isTruncated = CUT.test(column)
  const base64 = DATA_URL.exec(column)?.[1]
  if (base64 !== undefined) return { kind: "binary", base64, isTruncated }
  return { kind: isJson(column) ? "json" : "text", text: column, isTruncated }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
