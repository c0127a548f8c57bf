import type { SocketProtocol } from "../../_sockets.ts"
import { OPERATIONS } from "../routes.ts"
import { CLIENT_NAMES, LiveReader } from "./reader.ts"

/** The sessions of Gemini's Live API, which has no message for errors: clients get the body of one over HTTP. */
export const SOCKETS: SocketProtocol = {
  opens: (path) => OPERATIONS.find("GET", path).kind === "live",
  createReader: () => new LiveReader(),
  askingNames: CLIENT_NAMES,
  errorMessage: ({ body }) => body,
}
