import { z } from "zod"

/** What an API key may be used for, and until when. */
export const policy = {
  expires_at: z.string().nullable().describe("when it expires; null: never"),
  models: z.array(z.string()).readonly().nullable().describe("patterns of the models that it may use; null: any"),
  providers: z.array(z.string()).readonly().nullable().describe("the providers that it may use; null: any"),
}

/** The same as a person writes it. */
export const policyInput = {
  expires: z
    .string()
    .optional()
    .describe("when it expires: an age such as 90d, a date such as 2027-03-01 (its beginning in UTC), or never"),
  models: z
    .array(z.string())
    .optional()
    .describe("the models that it may use, such as gpt-5* or claude-*; any, or an empty list: all"),
  providers: z.array(z.string()).optional().describe("the providers that it may use; any, or an empty list: all"),
}
