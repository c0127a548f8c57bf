import { z } from "zod"

export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * Returns a schema of a route as JSON Schema 2020-12. Schemas that refer to themselves are in `$defs`, by their names.
 *
 * @param io whether the schema describes what a caller writes, or what the route returns
 */
export function toJsonSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: "draft-2020-12", unrepresentable: "any" })
  return rest as JsonSchema
}
