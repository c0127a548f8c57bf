import { z } from "zod"
import { isUuid } from "../../../kit/uuid.ts"
import { InputError } from "../../../operations/input-error.ts"
import { revokeKey } from "../../../operations/keys/revoke.ts"
import { activateMetadata } from "../../../operations/metadata/activate.ts"
import { deactivateMetadata } from "../../../operations/metadata/deactivate.ts"
import { parseName } from "../../../operations/metadata/name.ts"
import { defineRoute } from "../../_route.ts"
import { ALL_KEYS } from "./fields.ts"

const choice = z.object({
  api_key_id: z.string().describe(`the id of an API key, or ${ALL_KEYS}`),
  key_name: z.string().describe("the metadata name, in any case"),
})

function parseChoice({ api_key_id, key_name }: z.output<typeof choice>) {
  if (api_key_id !== ALL_KEYS && !isUuid(api_key_id)) {
    throw new InputError("api_key_id", `expected the id of an API key, which is a UUID, or ${ALL_KEYS}`)
  }
  return parseName({ name: key_name, key: api_key_id === ALL_KEYS ? undefined : api_key_id })
}

export const keys = {
  revoke: defineRoute({
    name: "go.revoke_key",
    method: "DELETE",
    path: "/keys/{id}",
    role: "admin",
    summary: "reject an API key from now on, as clients of the Go gateway ask for it",
    input: z.strictObject({ id: z.string().describe("the id of an API key") }),
    output: z.null(),
    needs: ["database"],
    async run(context, input) {
      await revokeKey(context, input)
      return null
    },
  }),
  activate: defineRoute({
    name: "go.activate",
    method: "POST",
    path: "/metadata/activate",
    role: "admin",
    summary: "index a metadata name for an API key, as clients of the Go gateway ask for it",
    input: choice,
    output: z.object({ status: z.literal("activated"), backfilling: z.literal(false), indexed: z.number() }),
    needs: ["database"],
    parse: parseChoice,
    async run(context, name) {
      const { indexed } = await activateMetadata(context, name)
      return { status: "activated" as const, backfilling: false as const, indexed }
    },
  }),
  deactivate: defineRoute({
    name: "go.deactivate",
    method: "POST",
    path: "/metadata/deactivate",
    role: "admin",
    summary: "no longer index a metadata name for an API key, as clients of the Go gateway ask for it",
    input: choice,
    output: z.object({ status: z.literal("deactivated"), cleaning: z.literal(false) }),
    needs: ["database"],
    parse: parseChoice,
    async run(context, name) {
      await deactivateMetadata(context, name)
      return { status: "deactivated" as const, cleaning: false as const }
    },
  }),
}
