import { fileURLToPath } from "node:url"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { FAST_START } from "../support/fast-start.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

type Mode = "legacy" | "auto"

function createClient(mode: Mode): Client {
  return new Client({ name: "tests", version: "1.0.0" }, { versionNegotiation: { mode } })
}

/** Starts `majordomo-gateway mcp` with the environment of an installation, and connects the official client to it. */
export async function connectOverStdio(
  env: Readonly<Record<string, string>>,
  { args = [], mode = "legacy" }: { readonly args?: readonly string[]; readonly mode?: Mode } = {},
) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [...FAST_START, BIN, "mcp", ...args],
    env: { ...env },
    cwd: env["HOME"],
    stderr: "pipe",
  })
  let stderr = ""
  transport.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes
  })
  const client = createClient(mode)
  await client.connect(transport)
  return Object.assign(client, { readMessages: () => stderr })
}

/** Connects the official client to the endpoint `/mcp` of a gateway. */
export async function connectOverHttp(
  origin: string,
  headers: Readonly<Record<string, string>>,
  { mode = "legacy" }: { readonly mode?: Mode } = {},
): Promise<Client> {
  const client = createClient(mode)
  await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", origin), { requestInit: { headers } }))
  return client
}

/** Calls a tool and returns its structured answer. @throws with its message if the answer is an error */
export async function ask<T = Record<string, unknown>>(
  client: Client,
  name: string,
  given: Readonly<Record<string, unknown>> = {},
): Promise<T> {
  const result = await client.callTool({ name, arguments: { ...given } })
  if (result.isError) throw new Error(textOf(result))
  return result.structuredContent as T
}

/** Calls a tool that answers with an error, and returns its message. */
export async function askInVain(client: Client, name: string, given: Readonly<Record<string, unknown>> = {}) {
  const result = await client.callTool({ name, arguments: { ...given } })
  if (!result.isError) throw new Error(`${name} has answered: ${textOf(result)}`)
  return textOf(result)
}

function textOf({ content }: { readonly content: readonly { readonly type: string }[] }): string {
  return (content[0] as { readonly type: "text"; readonly text: string }).text
}
