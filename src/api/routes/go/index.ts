import { keys } from "./keys.ts"
import { latency } from "./latency.ts"
import { requests } from "./requests.ts"
import { runs } from "./runs.ts"
import { usage } from "./usage.ts"

/** The routes of the Go gateway that are not ours, in its shapes: for its command line, its MCP server and scripts. */
export const GO_ROUTES = [usage, latency, requests, runs, keys]
