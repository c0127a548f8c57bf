import { loadAwsEvents } from "../_aws-events.ts"
import { defineDialect } from "../_define.ts"
import { framingOf } from "../_framing.ts"
import { readRequest } from "../_request.ts"
import { AnswerCollector } from "./collector.ts"
import { DESCRIPTION } from "./description.ts"
import { toReading } from "./reading.ts"
import { CLAIMS, isStreamed, OPERATIONS, requestedIn, SURFACES } from "./routes.ts"

/** Amazon Bedrock: Converse, InvokeModel and their streams. */
export const bedrock = defineDialect({
  baseUrl: "https://bedrock-runtime.us-east-1.amazonaws.com",
  routes: { claims: CLAIMS, surfaces: SURFACES, operations: OPERATIONS },
  credentials: [{ header: "authorization", scheme: "bearer" }],
  load: loadAwsEvents,
  prepare(request, options) {
    const { attribution, json } = readRequest(request, options)
    return {
      requestedModel: requestedIn(request.path),
      edit: undefined,
      createFilter: undefined,
      attribution,
      json,
      stream: isStreamed(request.path),
    }
  },
  framing: ({ method, path }, head) => (OPERATIONS.find(method, path).kind === "count" ? "opaque" : framingOf(head)),
  readOrder: ({ path }) => (/embed/.test(requestedIn(path) ?? "") ? { pieces: {} } : undefined),
  createCollector: (request, headers) => new AnswerCollector(request, headers),
  describes: () => DESCRIPTION,
  toReading,
  // The SDKs of AWS tell errors apart by `__type`, where the header of AWS's own answers is missing.
  errorBody: (_code, statusCode, message) =>
    JSON.stringify({
      __type: TYPES[statusCode] ?? (statusCode < 500 ? "ValidationException" : "InternalServerException"),
      message,
    }),
})

/** Bedrock's own error types. */
const TYPES: Readonly<Record<number, string>> = {
  401: "AccessDeniedException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  408: "ModelTimeoutException",
  429: "ThrottlingException",
  503: "ServiceUnavailableException",
  504: "ModelTimeoutException",
}
