import type { BillFormat } from "../_format.ts"
import { anthropicCosts, anthropicUsage } from "./anthropic.ts"
import { awsCostExplorer } from "./aws-cost-explorer.ts"
import { awsCur } from "./aws-cur.ts"
import { azure } from "./azure.ts"
import { googleBigQuery, googleCostTable, googleReport } from "./google.ts"
import { openaiCosts, openaiUsage } from "./openai.ts"

/** The exports that are recognized by their columns, by the name of the format. */
export const FORMATS = {
  google: [googleBigQuery, googleCostTable, googleReport],
  "aws-cur": [awsCur],
  "aws-cost-explorer": [awsCostExplorer],
  azure: [azure],
  openai: [openaiCosts, openaiUsage],
  anthropic: [anthropicCosts, anthropicUsage],
} satisfies Record<string, readonly BillFormat[]>
