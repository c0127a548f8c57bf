import { z } from "zod"
import { readVaultStatus } from "../../operations/vault/status.ts"
import { defineRoute } from "../_route.ts"

export const vault = {
  status: defineRoute({
    name: "vault.status",
    method: "GET",
    path: "/vault",
    role: "viewer",
    summary: "which vault key the gateway has, and which provider keys it can decrypt",
    input: z.strictObject({}),
    output: z.object({
      vault_key_id: z.string().nullable().describe("the key that encrypts; null: there is none"),
      source: z.string().nullable().describe("`vault.key`, or the path of a file"),
      providers: z.array(z.string()).readonly().describe("the providers of the settings, which can have keys"),
      problem: z.string().nullable().describe("why the vault keys cannot be read"),
      encrypted: z
        .array(
          z.object({
            vault_key_id: z.string(),
            provider_keys: z.number(),
            readable: z.number().describe("those among them that the gateway can decrypt"),
          }),
        )
        .readonly()
        .describe("the provider keys, by the vault key that encrypted them"),
    }),
    needs: ["database"],
    run: (context) => readVaultStatus(context),
  }),
}
