// Writes the model of docs/scaling.md between its two markers: node scripts/scaling-table.mjs
import { readFileSync, writeFileSync } from "node:fs"
import { toScalingTable } from "./_scaling-model.mjs"

const page = new URL("../docs/scaling.md", import.meta.url)
const text = readFileSync(page, "utf8")
const markers = /(<!-- model -->)[\s\S]*?(<!-- \/model -->)/
if (!markers.test(text)) throw new Error("docs/scaling.md has no <!-- model --> … <!-- /model -->")
writeFileSync(
  page,
  text.replace(markers, (_, open, close) => `${open}\n${toScalingTable()}\n${close}`),
)
