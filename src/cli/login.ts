import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { callRemotely } from "../api/remote.ts"
import { keys } from "../api/routes/keys.ts"
import { CommandError } from "../core/errors.ts"
import { defineCommand } from "./_command.ts"
import { parseGatewayUrl, parseToken, toLoginFile } from "./_gateway.ts"
import { print, printMessage } from "./_print.ts"
import { readSecret } from "./_secret.ts"

export default defineCommand({
  meta: { name: "login", description: "store a gateway's address and an admin token, for all commands of this user" },
  args: {
    url: { type: "positional", required: false, description: "the gateway, such as https://gateway.example.com" },
    token: {
      type: "string",
      valueHint: "TOKEN",
      description: "the admin token (default: asked for, or read from stdin)",
    },
    forget: { type: "boolean", description: "delete what was stored, so that commands open their own database again" },
  },
  examples: ["majordomo-gateway login https://gateway.example.com", "majordomo-gateway login --forget"],
  async run({ args }) {
    if (args.forget) {
      rmSync(toLoginFile(), { force: true })
      return print("Forgotten: commands open their own database.")
    }
    if (args.url === undefined) throw new CommandError("URL is missing (see majordomo-gateway login --help)", 2)
    const url = parseGatewayUrl(args.url, "URL")
    const given = args.token ?? (await readSecret("Admin token: "))
    if (given === "") throw new CommandError("no token was given: majordomo-gateway tokens create makes one", 2)
    const token = parseToken(given, "the token")
    // The address and the token are tried before they are stored.
    const listener = { log: printMessage, onProgress: () => {}, signal: new AbortController().signal }
    await callRemotely(keys.list, { url, token, tokenSource: "--token" }, {}, listener)
    mkdirSync(dirname(toLoginFile()), { recursive: true, mode: 0o700 })
    writeFileSync(toLoginFile(), `${JSON.stringify({ url, token })}\n`, { mode: 0o600 })
    // The mode above is that of a new file only.
    chmodSync(toLoginFile(), 0o600)
    print(
      `Commands of this user ask the gateway at ${url} from now on. --config FILE opens a database; login --forget ends it.`,
    )
  },
})
