import { reconciliations } from "../../api/routes/reconciliations.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findInputFile } from "../_input-file.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { renderReconciliations } from "./_causes.ts"

const COLUMN = { type: "string", valueHint: "COLUMN" } as const

export default defineCommand({
  meta: {
    name: "import",
    description:
      "read a bill from a CSV export of a provider, and compare it with what was recorded; exit code 3 if more differs than reconcile.alert_above tolerates",
  },
  args: {
    file: { type: "positional", description: "the file; - reads stdin", valueHint: "FILE" },
    provider: {
      type: "string",
      valueHint: "NAME",
      description: "the provider whose bill it is, as reports name it",
      required: true,
    },
    format: {
      type: "string",
      valueHint: "FORMAT",
      description:
        "google, aws-cur, aws-cost-explorer, azure, openai, anthropic or generic (default: auto, by the columns)",
    },
    date: { ...COLUMN, description: "the title of the column with the day" },
    model: { ...COLUMN, description: "the title of the column with the model" },
    cost: { ...COLUMN, description: "the title of the column with the cost" },
    tokens: { ...COLUMN, description: "the title of the column with the number of tokens" },
    bucket: { ...COLUMN, description: "the title of the column with what is paid for, such as input or output" },
    tier: { ...COLUMN, description: "the title of the column with the service tier" },
    key: { ...COLUMN, description: "the title of the column with the provider's id of its API key" },
    project: { ...COLUMN, description: "the title of the column with the provider's id of the project" },
    requests: { ...COLUMN, description: "the title of the column with the number of requests" },
    currency: { ...COLUMN, description: "the title of the column with the currency" },
    rate: { type: "string", valueHint: "USD", description: "USD for one unit of the file's currency" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway reconcile import billing-export.csv --provider gemini",
    "majordomo-gateway reconcile import costs.csv --provider azure --date Day --model Deployment --cost Amount",
  ],
  async run({ args }) {
    const { provider, date, model, cost, tokens, bucket, tier, key, project, requests, currency, rate } = args
    const columns = { date, model, cost, tokens, bucket, tier, key, project, requests, currency }
    // The route checks the name of the format.
    const format = args.format as "auto" | undefined
    const path = args.file ?? "-"
    const file = path === "-" ? process.stdin : (await findInputFile(path, "a CSV file")).pieces
    const result = await call(args, reconciliations.import, { provider, format, rate, ...columns }, { file })
    if (args.json) printJson(result)
    else print(renderReconciliations([result], findScreen()))
    if (!result.within_tolerance) process.exitCode = 3
  },
})
