import { findMembers, MemberNames, memberValue } from "../../kit/json/members.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { FILM_NOT_MADE, type Pieces } from "../_pieces.ts"
import { bytesOf, countOf, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"
import { OPERATIONS } from "./routes.ts"

/** Veo's defaults, where the request states none. */
const DEFAULT_SECONDS = 8
const DEFAULT_RESOLUTION = "720p"

/**
 * Returns what an answer bills by the piece: the pictures in it, or the films that it has begun to make. undefined: nothing.
 * @param answer the whole answer, if it has no usage
 */
export function readPieces(
  request: ProviderRequest,
  images: number,
  answer: JsonObject | undefined,
): Pieces | undefined {
  if (images > 0) return { pieces: { images } }
  const isFilm = OPERATIONS.find(request.method, request.path).kind === "video"
  return isFilm && textOf(answer?.["name"]) !== undefined ? readFilms(request) : undefined
}

/** Imagen makes so many pictures, where the request states none. */
const DEFAULT_IMAGES = 4

/** Returns the pieces that a request orders, before it is answered. No pieces: only its input is billed. undefined: it orders text. */
export function readOrder(request: ProviderRequest): Pieces | undefined {
  const { kind } = OPERATIONS.find(request.method, request.path)
  if (kind === "embedding") return { pieces: {} }
  if (kind === "video") return readFilms(request)
  if (!request.path.endsWith(":predict")) return undefined
  if (!/imagen/.test(request.path)) return { pieces: {} }
  return { pieces: { images: countOf(parametersOf(request)["sampleCount"]) || DEFAULT_IMAGES } }
}

const PARAMETERS = new MemberNames(["parameters"])

function parametersOf({ body }: ProviderRequest): JsonObject {
  const bytes = bytesOf(body)
  return objectOf(memberValue(bytes, findMembers(bytes, PARAMETERS)?.found["parameters"])) ?? {}
}

function readFilms(request: ProviderRequest): Pieces {
  const parameters = parametersOf(request)
  const stated = countOf(parameters["durationSeconds"])
  const films = countOf(parameters["sampleCount"]) ?? countOf(parameters["numberOfVideos"]) ?? 1
  const missing = stated === undefined ? ["the length of the film is not stated: its default was taken"] : []
  return {
    pieces: { videoSeconds: (stated ?? DEFAULT_SECONDS) * films },
    kinds: { videoSeconds: (textOf(parameters["resolution"]) ?? DEFAULT_RESOLUTION).toLowerCase() },
    missing: [...FILM_NOT_MADE, ...missing],
  }
}

/** Returns the number of pictures in an answer. Its other predictions are embeddings, and pictures that were filtered. */
export function countImages(answer: JsonObject): number {
  return listOf(answer["predictions"]).filter((element) => objectOf(element)?.["mimeType"] !== undefined).length
}
