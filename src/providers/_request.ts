import { findMembers, type Members, memberValue } from "../kit/json/members.ts"
import { ATTRIBUTION_NAMES, type RequestAttribution, readAttribution, toAttribution } from "./_attribution.ts"
import type { ProviderRequest } from "./_dialect.ts"
import { readFormFields } from "./_multipart.ts"
import { bytesOf, modelNameOf } from "./_values.ts"

/** The members that the gateway reads in a request's body. */
export interface RequestFacts {
  readonly model: string | undefined
  readonly stream: boolean
  readonly attribution: RequestAttribution | undefined
  /** The body's bytes and its members; undefined when it is no JSON object. */
  readonly json: { readonly bytes: Buffer; readonly members: Members } | undefined
}

const NAMES = ["model", "stream", "stream_options", ...ATTRIBUTION_NAMES]
const NOTHING: RequestFacts = { model: undefined, stream: false, attribution: undefined, json: undefined }

/**
 * Reads from a JSON or form body of any size which model it asks for, whether as a stream, and for whom, without
 * parsing all of it.
 */
export function readRequest({ headers, body }: ProviderRequest): RequestFacts {
  if (body.length === 0) return NOTHING
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (isForm(type)) {
    const fields = readFormFields(type, bytes, NAMES)
    const attribution = toAttribution(fields["safety_identifier"] ?? fields["user"], undefined)
    return { ...NOTHING, model: modelNameOf(fields["model"]), stream: fields["stream"] === "true", attribution }
  }
  const members = findMembers(bytes, NAMES)
  if (!members) return NOTHING
  return {
    model: modelNameOf(memberValue(bytes, members.found["model"])),
    stream: memberValue(bytes, members.found["stream"]) === true,
    attribution: readAttribution(bytes, members.found),
    json: { bytes, members },
  }
}

/**
 * Returns true if a body has several members or form fields called `model`, in any case. Which of them the provider takes is
 * not known.
 */
export function isModelAmbiguous({ headers, body }: Pick<ProviderRequest, "headers" | "body">): boolean {
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (!isForm(type)) return findMembers(bytes, ["model"])?.ambiguous !== undefined
  const repeated = new Set<string>()
  readFormFields(type, bytes, ["model"], repeated)
  return repeated.size > 0
}

function isForm(contentType: string): boolean {
  return /^multipart\/form-data/i.test(contentType)
}
