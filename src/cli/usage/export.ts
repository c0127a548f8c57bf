import { withBodies } from "../../operations/open/bodies.ts"
import { exportRequests } from "../../operations/requests/export.ts"
import { COMMON, defineCommand } from "../_command.ts"
import { withDatabase } from "../_open.ts"
import { printMessage, printPiece } from "../_print.ts"
import { escapeUnprintable, withThousands } from "../_text.ts"
import { FILTER_OPTIONS, toFilters, toPeriod } from "./_options.ts"
import { notePendingRows } from "./_pending-rows.ts"

const PROGRESS_MS = 1000
const MAX_REASONS = 10

export default defineCommand({
  meta: { name: "export", description: "requests with their bodies, one JSON object per line, oldest first" },
  args: {
    bodies: { type: "boolean", required: true, description: "the bodies, from wherever they are" },
    ...FILTER_OPTIONS,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage export --bodies --model gpt-4o* --status success --since 30d > training.jsonl",
    "majordomo-gateway usage export --bodies --where Feature=search | jq -c '{messages: .request.messages}'",
  ],
  async run({ args, rawArgs }) {
    const question = { filters: toFilters(args, rawArgs), period: toPeriod(args, Date.now(), "1970-01-01") }
    const missing = createMissing()
    await withDatabase(args.config, (context) =>
      withBodies(context.settings, async ({ bodies }) => {
        await notePendingRows(context)
        const resources = { ...context, bodies, onMissing: missing.add }
        const { total, lines } = await exportRequests(resources, question)
        const exported = await printLines(lines, total)
        const noun = exported === 1 ? "request" : "requests"
        printMessage(`${withThousands(exported)} ${noun} exported${missing.describe()}`)
      }),
    )
  },
})

async function printLines(lines: AsyncIterable<string>, total: number): Promise<number> {
  let exported = 0
  let printedAt = Date.now()
  for await (const line of lines) {
    await printPiece(escapeUnprintable(line))
    exported++
    if (Date.now() - printedAt < PROGRESS_MS) continue
    printedAt = Date.now()
    printMessage(`${withThousands(exported)} of ${withThousands(total)} requests exported`)
  }
  return exported
}

/** Counts the requests that are left out, and prints the first reasons. */
function createMissing() {
  let count = 0
  return {
    add(reason: string): void {
      count++
      if (count <= MAX_REASONS) printMessage(`left out: ${reason}`)
      if (count === MAX_REASONS) printMessage("further requests that are left out are only counted")
    },
    describe: () => (count === 0 ? "" : `; ${withThousands(count)} left out, because their bodies cannot be read`),
  }
}
