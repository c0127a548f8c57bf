import { MemberNames } from "../../../kit/json/members.ts"
import type { ProviderRequest } from "../../_dialect.ts"
import type { SocketProtocol, SocketReader } from "../../_sockets.ts"
import { type Kind, OPERATIONS } from "../routes.ts"
import { toErrorEvent } from "./errors.ts"
import { RealtimeReader } from "./realtime.ts"
import { ResponsesReader } from "./responses.ts"
import { TranslationReader } from "./translation.ts"

const READERS: { readonly [K in Kind]?: (request: ProviderRequest) => SocketReader } = {
  responses: () => new ResponsesReader(),
  realtime: (request) => new RealtimeReader(request),
  translation: (request) => new TranslationReader(request),
}

/** The sessions of OpenAI's API on WebSockets. */
export const SOCKETS: SocketProtocol = {
  opens: (path) => findReader(path) !== undefined,
  createReader: (request) => findReader(request.path)!(request),
  askingNames: new MemberNames(["type"]),
  errorMessage: toErrorEvent,
}

function findReader(path: string) {
  const { kind } = OPERATIONS.find("GET", path)
  return kind && READERS[kind]
}
