import type { Body, Edit, LargeBody } from "../core/call.ts"
import type { UnsignedRequest } from "../core/provider-credential.ts"
import type { SizedBody } from "../kit/http/request-head.ts"

export const NO_BODY = Buffer.alloc(0)

/** Returns the body in a form that can be sent, with the edit applied if there is one. */
export function toSendable(body: Body, edit: Edit | undefined): Buffer | SizedBody | undefined {
  if (isLarge(body)) return { length: lengthOf(body, edit), pieces: body.pieces(edit) }
  if (edit !== undefined) return applyEdit(body, edit)
  return body.length === 0 ? undefined : body
}

/** Returns the same bytes in a form whose hash can be computed before they are sent. */
export function toHashable(body: Body, edit: Edit | undefined): UnsignedRequest["body"] {
  if (isLarge(body)) return { length: lengthOf(body, edit), pieces: () => body.pieces(edit) }
  const bytes = edit === undefined ? body : applyEdit(body, edit)
  return { length: bytes.length, pieces: () => bytes }
}

export function isLarge(body: Body): body is LargeBody {
  return !Buffer.isBuffer(body)
}

/** Returns the number of bytes that are sent. */
function lengthOf({ length }: LargeBody, edit: Edit | undefined): number {
  return edit === undefined ? length : length - (edit.end - edit.start) + edit.by.length
}

function applyEdit(body: Buffer, { start, end, by }: Edit): Buffer {
  return Buffer.concat([body.subarray(0, start), by, body.subarray(end)])
}
