export { toRequestObject } from "../../reports/index.ts"

/** A row of llm_requests as the database returns it, by column, and `key_name`. */
export type RequestRow = Readonly<Record<string, unknown>>
