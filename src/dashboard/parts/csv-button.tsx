import { get } from "../kit/api.ts"
import { download, toCsv } from "../kit/csv.ts"
import { toProblem } from "../kit/query.ts"
import type { Question } from "../kit/question.ts"
import { readValue, toPlural, type UsageReport } from "../kit/usage.ts"
import { toast } from "./toast.tsx"

interface CsvButtonProps {
  readonly question: Question
  readonly dimension: string
}

/** Saves all values of a dimension as comma-separated values, also those that are not on the page. */
export function CsvButton({ question, dimension }: CsvButtonProps) {
  return (
    <button
      type="button"
      class="button"
      aria-label={`Save the ${toPlural(dimension)} as CSV`}
      onClick={() => void save(question, dimension)}
    >
      CSV
    </button>
  )
}

const FIELDS = [
  "requests",
  "errors",
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "output_tokens",
  "total_cost",
  "exact",
  "estimated",
  "unpriced",
  "subscription_requests",
  "subscription_value",
] as const

async function save({ input }: Question, name: string): Promise<void> {
  try {
    const { rows } = await get<UsageReport>("/usage", { ...input, by: name })
    const values = rows.map((row) => [readValue(row, name).text, ...FIELDS.map((field) => row[field])])
    download(`usage-by-${name}.csv`, toCsv([name, ...FIELDS], values))
  } catch (error) {
    toast(toProblem(error).message, { isError: true })
  }
}
