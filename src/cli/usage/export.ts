import { requests } from "../../api/routes/requests.ts"
import { REMOTE, stream } from "../_call.ts"
import { defineCommand } from "../_command.ts"
import { printPiece } from "../_print.ts"
import { escapeUnprintable } from "../_text.ts"
import { FILTER_OPTIONS, toChoice } from "./_options.ts"

export default defineCommand({
  meta: { name: "export", description: "requests with their bodies, one JSON object per line, oldest first" },
  args: {
    bodies: { type: "boolean", required: true, description: "the bodies, from wherever they are" },
    ...FILTER_OPTIONS,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage export --bodies --model gpt-4o* --status success --since 30d > training.jsonl",
    "majordomo-gateway usage export --bodies --where Feature=search | jq -c '{messages: .request.messages}'",
  ],
  async run({ args, rawArgs }) {
    await stream(args, requests.export, toChoice(args, rawArgs), (line) => printPiece(escapeUnprintable(line)))
  },
})
