import { z } from "zod"
import { LIMIT_MEASURES, LIMIT_WINDOWS } from "../../core/limit.ts"

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
  budget: z
    .string()
    .optional()
    .describe("what it may cost, in USD per window, such as 50/month; none removes the limit"),
  rpm: z.string().optional().describe("its requests per minute, such as 60; none removes the limit"),
  tpm: z.string().optional().describe("its tokens per minute, such as 100000; none removes the limit"),
  concurrency: z.string().optional().describe("its requests at the same time, such as 5; none removes the limit"),
}

/** The limits on a key alone. */
export const keyLimits = z
  .array(
    z.object({
      name: z.string(),
      measure: z.enum(LIMIT_MEASURES),
      amount: z.string().describe("a plain decimal; USD for cost"),
      window: z.enum(LIMIT_WINDOWS),
    }),
  )
  .readonly()
  .describe("the limits on this key alone; others may apply to its requests too")
