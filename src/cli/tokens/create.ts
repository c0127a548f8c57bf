import { tokens } from "../../api/routes/tokens.ts"
import { ROLES, type Role } from "../../core/actor.ts"
import { CommandError } from "../../core/errors.ts"
import type { CreatedToken } from "../../operations/tokens/create.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { printSecret } from "../_print.ts"
import { printable, toPrintableJson } from "../_text.ts"
import { toTime } from "../keys/_keys.ts"

export default defineCommand({
  meta: { name: "create", description: "create an admin token and show it this once" },
  args: {
    name: { type: "string", required: true, valueHint: "NAME", description: "who or what uses it" },
    role: {
      type: "string",
      required: true,
      valueHint: "ROLE",
      description: "viewer (reads everything except bodies), auditor (reads bodies too) or admin (changes things)",
    },
    expires: {
      type: "string",
      valueHint: "AGE",
      description: "how long it is valid, such as 90d, 12w or 1y (default: until it is revoked)",
    },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway tokens create --name grafana --role viewer --expires 90d",
    "majordomo-gateway tokens create --name deploy --role admin --json | jq -r .token",
  ],
  async run({ args }) {
    const { name, role, expires } = args
    const created = await call(args, tokens.create, { name, role: parseRole(role), expires })
    const text = args.json ? toPrintableJson(created, 2) : announce(created)
    const discard = async () => void (await call(args, tokens.discard, { id: created.id, token: created.token }))
    await printSecret(text, discard, "token")
  },
})

function parseRole(text: string): Role {
  const role = ROLES.find((name) => name === text)
  if (role !== undefined) return role
  throw new CommandError(`--role: expected viewer, auditor or admin, got ${JSON.stringify(text.slice(0, 60))}`, 2)
}

function announce({ id, name, role, expires_at: expiresAt, token }: CreatedToken): string {
  return `Admin token created successfully!

  ID:      ${id}
  Name:    ${printable(name)}
  Role:    ${role}
  Expires: ${expiresAt === null ? "never" : toTime(expiresAt)}
  Token:   ${token}

⚠️  Save this token now - it cannot be retrieved later.
`
}
