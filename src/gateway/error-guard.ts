import type { RawHeaders } from "../core/call.ts"
import { toLastFour } from "../core/provider-credential.ts"
import { toForms } from "../core/secret-forms.ts"
import { decodeBytes } from "../kit/decode-bytes.ts"
import { Pieces } from "../kit/pieces.ts"
import { MAX_COLLECTED_BYTES } from "./collected-answer.ts"
import { isCompressed } from "./decode.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { AnswerFilter, AnswerHead } from "./response-plan.ts"

/** A shorter secret cannot be told from the words of an error. */
const MIN_LENGTH = 8
const MAX_DECODED_BYTES = 4 * 1024 * 1024
const NOTHING = Buffer.alloc(0)

/** Replaces the secrets that the gateway has added to a request by `***` and the end with which it shows them elsewhere. */
interface Mask {
  holds(text: string): boolean
  apply(text: string): string
  /** Returns the length of the text without an end that may be the beginning of a secret. */
  findCertain(text: string): number
}

/** Returns the head of an answer without the secrets that the gateway has added to its request. */
export function guardHead(head: AnswerHead, request: ProxiedRequest): AnswerHead {
  const { suppliedSecrets } = request
  if (suppliedSecrets.length === 0) return head
  const isSuspect = (text: string) => suppliedSecrets.some((secret) => text.includes(secret))
  // Other forms of a secret, such as the encoded one in an address, are looked for in redirections and errors.
  if (head.statusCode < 300 && !isSuspect(head.statusText) && !head.headers.some(isSuspect)) return head
  const { apply } = createMask(request)
  return { ...head, statusText: apply(head.statusText), headers: head.headers.map(apply) }
}

/**
 * Creates the filter that keeps the secrets which the gateway has added to a request out of an error answer: some
 * providers repeat the key that they reject. The bytes of an answer that contains none of them stay as they are.
 *
 * A compressed error is decoded to search it. One that cannot be decoded, or that is larger than 1 MiB (4 MiB when
 * decoded), is replaced by an error of the gateway.
 */
export function createErrorGuard(
  request: ProxiedRequest,
  answer: { readonly statusCode: number; readonly contentEncoding: string | undefined },
): AnswerFilter {
  const { statusCode, contentEncoding } = answer
  const mask = createMask(request)
  if (!isCompressed(contentEncoding)) return new PlainGuard(mask)
  const toWithheld = () => toWithheldError(request, statusCode)
  return new CodedGuard(mask, contentEncoding, toWithheld)
}

function createMask({ suppliedSecrets, credentials: { supplied } }: ProxiedRequest): Mask {
  const shown = `***${supplied === undefined ? "" : toLastFour(supplied)}`
  const forms = suppliedSecrets.filter(({ length }) => length >= MIN_LENGTH).flatMap(toForms)
  const holds = (text: string) => forms.some((form) => text.includes(form))
  return {
    holds,
    apply: (text) => (holds(text) ? forms.reduce((clean, form) => clean.replaceAll(form, shown), text) : text),
    findCertain(text) {
      const longest = Math.max(0, ...forms.map(({ length }) => length - 1))
      for (let at = Math.max(0, text.length - longest); at < text.length; at++) {
        const end = text.slice(at)
        if (forms.some((form) => form.startsWith(end))) return at
      }
      return text.length
    },
  }
}

function toWithheldError({ dialect, route }: ProxiedRequest, statusCode: number): Buffer {
  const message = `The provider ${route.provider.name} answered with an error in a form that the gateway cannot search for its own key, so it is withheld.`
  return Buffer.from(dialect.errorBody("provider_unreachable", statusCode, message))
}

/** Searches bytes while they pass. It holds back what may be the beginning of a secret. */
class PlainGuard implements AnswerFilter {
  private readonly mask: Mask
  /** latin1, which has one character for each byte. */
  private held = ""

  constructor(mask: Mask) {
    this.mask = mask
  }

  push(bytes: Buffer): Buffer {
    const text = this.mask.apply(this.held + bytes.toString("latin1"))
    const end = this.mask.findCertain(text)
    this.held = text.slice(end)
    return Buffer.from(text.slice(0, end), "latin1")
  }

  end(): Buffer {
    return Buffer.from(this.held, "latin1")
  }
}

/** Searches a compressed answer when it is complete. */
class CodedGuard implements AnswerFilter {
  private readonly mask: Mask
  private readonly coding: string
  private readonly toWithheld: () => Buffer
  private readonly pieces = new Pieces()
  private isTooLarge = false
  /** How the body was changed. The headers have to agree with it. */
  private outcome: "unchanged" | "decoded" | "withheld" = "unchanged"

  constructor(mask: Mask, coding: string, toWithheld: () => Buffer) {
    this.mask = mask
    this.coding = coding
    this.toWithheld = toWithheld
  }

  push(bytes: Buffer): Buffer {
    this.isTooLarge ||= this.pieces.length + bytes.length > MAX_COLLECTED_BYTES
    if (this.isTooLarge) this.pieces.take()
    else this.pieces.push(bytes)
    return NOTHING
  }

  end(): Buffer {
    const bytes = this.pieces.takeBytes()
    const decoded = this.isTooLarge ? undefined : decodeBytes(bytes, this.coding, MAX_DECODED_BYTES)
    if (decoded === undefined || decoded.isTruncated) {
      this.outcome = "withheld"
      return this.toWithheld()
    }
    const text = decoded.bytes.toString("latin1")
    if (!this.mask.holds(text)) return bytes
    this.outcome = "decoded"
    return Buffer.from(this.mask.apply(text), "latin1")
  }

  toHead(head: AnswerHead): AnswerHead {
    if (this.outcome === "unchanged") return head
    const plain = withoutHeader(head.headers, "content-encoding")
    if (this.outcome === "decoded") return { ...head, headers: plain }
    const typed = [...withoutHeader(plain, "content-type"), "Content-Type", "application/json; charset=utf-8"]
    return { ...head, headers: typed }
  }
}

function withoutHeader(headers: RawHeaders, name: string): RawHeaders {
  return headers.filter((_, index) => headers[index - (index % 2)]!.toLowerCase() !== name)
}
