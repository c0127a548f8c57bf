import { spawn } from "node:child_process"
import { sessions } from "../api/routes/sessions.ts"
import { CommandError } from "../core/errors.ts"
import { createTable } from "../core/table.ts"
import { fetchOwnPage } from "../operations/gateway-client.ts"
import { findDashboardOrigin } from "../operations/open/running.ts"
import { call, REMOTE } from "./_call.ts"
import { defineCommand, JSON_OPTION } from "./_command.ts"
import { findGateway } from "./_gateway.ts"
import { openSettings } from "./_open.ts"
import { print, printJson, printMessage } from "./_print.ts"

const TIMEOUT_MS = 4_500

export default defineCommand({
  meta: { name: "dashboard", description: "print a link that signs in to the dashboard once, within a minute" },
  args: { open: { type: "boolean", description: "open the link in a browser" }, ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway dashboard --open"],
  async run({ args }) {
    const origin = findGateway(args)?.url ?? (await findOwnGateway(args.config))
    const { code, expires_at } = await call(args, sessions.code, {})
    // Browsers do not send the part after # to any server, so that no log has the code.
    const url = `${origin}/dashboard/#code=${code}`
    if (args.json) printJson({ url, expires_at })
    else print(url)
    if (args.open) openInBrowser(url)
    else if (!args.json) printMessage("The link works once, within a minute. Whoever has it may change everything.")
  },
})

async function findOwnGateway(configFile: string | undefined): Promise<string> {
  const origin = findDashboardOrigin(await openSettings(configFile))
  const { status } = await fetchOwnPage(origin, "/api/v1/sign-in", TIMEOUT_MS)
  if (status === 200) return origin
  if (status === undefined)
    throw new CommandError(`no gateway answers at ${origin}: start it with majordomo-gateway serve`)
  throw new CommandError(
    `the gateway at ${origin} does not serve the dashboard (it answered ${status}): see admin.enabled`,
  )
}

function openInBrowser(url: string): void {
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"]
  spawn(program!, [...args, url], { stdio: "ignore", detached: true })
    .once("error", () => printMessage(`note: ${program} cannot be run, so open the link by hand`))
    .unref()
}

const OPENERS: Readonly<Record<string, readonly string[]>> = createTable({ darwin: ["open"], win32: ["explorer.exe"] })
