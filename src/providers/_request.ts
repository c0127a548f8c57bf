import { findMembers, type Members, memberValue } from "../kit/json/members.ts"
import type { ProviderRequest } from "./_dialect.ts"
import { readFormFields } from "./_multipart.ts"
import { bytesOf, modelNameOf } from "./_values.ts"

/** The members that the gateway reads in a request's body. */
export interface RequestFacts {
  readonly model: string | undefined
  readonly stream: boolean
  /** The body's bytes and its members; undefined when it is no JSON object. */
  readonly json: { readonly bytes: Buffer; readonly members: Members } | undefined
}

const NAMES = ["model", "stream", "stream_options"]

/**
 * Reads from a JSON or form body of any size which model it asks for and whether as a stream, without parsing all of
 * it.
 */
export function readRequest({ headers, body }: ProviderRequest): RequestFacts {
  if (body.length === 0) return { model: undefined, stream: false, json: undefined }
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (/^multipart\/form-data/i.test(type)) {
    const fields = readFormFields(type, bytes, NAMES)
    return { model: modelNameOf(fields["model"]), stream: fields["stream"] === "true", json: undefined }
  }
  const members = findMembers(bytes, NAMES)
  if (!members) return { model: undefined, stream: false, json: undefined }
  return {
    model: modelNameOf(memberValue(bytes, members.found["model"])),
    stream: memberValue(bytes, members.found["stream"]) === true,
    json: { bytes, members },
  }
}
