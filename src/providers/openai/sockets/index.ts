import type { SocketProtocol } from "../../_sockets.ts"
import { OPERATIONS } from "../routes.ts"
import { toErrorEvent } from "./errors.ts"
import { ResponsesReader } from "./responses.ts"

/** The sessions of OpenAI's API on WebSockets. */
export const SOCKETS: SocketProtocol = {
  opens: (path) => OPERATIONS.find("GET", path).kind === "responses",
  createReader: () => new ResponsesReader(),
  errorMessage: toErrorEvent,
}
