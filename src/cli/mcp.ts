import { version } from "../../package.json"
import type { Route } from "../api/_route.ts"
import { serveMcpOverStdio } from "../mcp/stdio.ts"
import { call, checkInput, REMOTE } from "./_call.ts"
import { defineCommand } from "./_command.ts"
import { toZone } from "./usage/_options.ts"

export default defineCommand({
  meta: {
    name: "mcp",
    description: "an MCP server on stdin and stdout, by which an assistant asks about usage and cost; it only reads",
  },
  args: REMOTE,
  examples: [
    "claude mcp add majordomo -- npx majordomo-gateway mcp",
    "majordomo-gateway mcp --gateway https://gateway.example.com",
  ],
  async run({ args }) {
    const stop = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort())
    await serveMcpOverStdio({
      version,
      timeZone: toZone(undefined),
      stdin: process.stdin,
      stdout: process.stdout,
      signal: stop.signal,
      async call(route, input, { signal }) {
        // An older gateway would reject an unknown input in words that only a command's options have.
        checkInput(route, input)
        return call(args, route as Route, input, { signal })
      },
    })
  },
})
