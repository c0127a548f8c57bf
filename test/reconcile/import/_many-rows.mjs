// Reads a Cost and Usage Report of many rows, hourly and with names of resources, and reports its lines. The test limits the
// memory of this thread.
import { parentPort, workerData } from "node:worker_threads"
import { readBillFile } from "../../../src/reconcile/import/index.ts"

const ROWS = workerData
const HEADER = [
  ...["identity/LineItemId", "bill/PayerAccountId", "lineItem/UsageAccountId", "lineItem/LineItemType"],
  ...["lineItem/UsageStartDate", "lineItem/UsageEndDate", "lineItem/ProductCode", "lineItem/UsageType"],
  ...[
    "lineItem/ResourceId",
    "lineItem/UsageAmount",
    "lineItem/CurrencyCode",
    "lineItem/UnblendedCost",
    "product/ProductName",
  ],
].join(",")
const pad = (value) => String(value).padStart(2, "0")

async function* createFile() {
  yield Buffer.from(`${HEADER}\n`)
  for (let at = 0; at < ROWS; at += 500) {
    let text = ""
    for (let row = at; row < at + 500; row++) {
      const [day, hour] = [pad(1 + (row % 30)), pad(Math.floor(row / 30) % 24)]
      const time = `2026-11-${day}T${hour}`
      const type = `USE1-Claude4Sonnet-${row % 2 === 0 ? "input" : "output"}-tokens`
      text += `${row},1,2,Usage,${time}:00:00Z,${time}:59:59Z,AmazonBedrock,${type},"arn:""${row}""",0.001,USD,0.0000000003,Amazon Bedrock\n`
    }
    yield Buffer.from(text)
  }
}

const { lines } = await readBillFile(createFile(), { provider: "bedrock" })
parentPort.postMessage(lines.map(({ day, bucket, quantity, cost }) => [day, bucket, quantity, cost]))
