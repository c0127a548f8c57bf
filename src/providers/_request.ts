import { findMembers, type Member, MemberNames, memberValue, type SearchedObject } from "../kit/json/members.ts"
import { ATTRIBUTION_NAMES, type RequestAttribution, readAttribution, readText, toAttribution } from "./_attribution.ts"
import { BOUND_NAMES } from "./_bounds.ts"
import type { PrepareOptions, ProviderRequest } from "./_dialect.ts"
import { readFormFields } from "./_multipart.ts"
import { PARAMETER_NAMES } from "./_parameters.ts"
import { bytesOf, modelNameOf } from "./_values.ts"

/** The members that the gateway reads in a request's body. */
export interface RequestFacts {
  readonly model: string | undefined
  readonly stream: boolean
  readonly attribution: RequestAttribution | undefined
  /** The body's bytes and its members; undefined when it is no JSON object. */
  readonly json: SearchedObject | undefined
}

const FACT_NAMES = ["model", "stream", "stream_options", ...ATTRIBUTION_NAMES]
/** The bounds are read only for requests under a limit, but are found on the same way. */
const NAMES = new MemberNames([...FACT_NAMES, ...BOUND_NAMES])
const NAMES_OF_DESCRIBED = new MemberNames([...FACT_NAMES, ...BOUND_NAMES, ...PARAMETER_NAMES])
const MODEL = new MemberNames(["model"])
const NOTHING: RequestFacts = { model: undefined, stream: false, attribution: undefined, json: undefined }

/**
 * Reads from a JSON or form body of any size which model it asks for, whether as a stream, and for whom, without
 * parsing all of it.
 */
export function readRequest(
  { headers, body }: ProviderRequest,
  { describesRequests }: Pick<PrepareOptions, "describesRequests"> = {},
): RequestFacts {
  if (body.length === 0) return NOTHING
  const bytes = bytesOf(body)
  const type = String(headers["content-type"] ?? "")
  if (isForm(type)) {
    const fields = readFormFields(type, bytes, FACT_NAMES)
    const attribution = toAttribution(fields["safety_identifier"] ?? fields["user"], undefined)
    return { ...NOTHING, model: modelNameOf(fields["model"]), stream: fields["stream"] === "true", attribution }
  }
  const members = findMembers(bytes, describesRequests ? NAMES_OF_DESCRIBED : NAMES)
  if (!members) return NOTHING
  return {
    model: modelNameOf(readText(bytes, members.found["model"])),
    stream: isTrue(bytes, members.found["stream"]),
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
  if (!isForm(type)) return findMembers(bytes, MODEL)?.ambiguous !== undefined
  const repeated = new Set<string>()
  readFormFields(type, bytes, ["model"], repeated)
  return repeated.size > 0
}

function isTrue(bytes: Buffer, member: Member | undefined): boolean {
  return member !== undefined && bytes[member.start] === LETTER_T && memberValue(bytes, member) === true
}

const LETTER_T = 116

function isForm(contentType: string): boolean {
  return /^multipart\/form-data/i.test(contentType)
}
