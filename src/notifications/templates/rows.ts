import { countOf, formatCount, formatDuration, toName } from "../_format.ts"
import { type Template, toLink, toParagraphs } from "./_template.ts"

export const toRowsWaitingDraft: Template<"rows_waiting"> = ({ facts }, context) => {
  const { gateway, waiting, oldest_seconds: oldest, last_error: error } = facts
  return {
    title: `${countOf(waiting, "row")} ${waiting === 1 ? "waits" : "wait"} for the database, the oldest for ${formatDuration(oldest)}`,
    summary: toParagraphs(
      `The gateway ${toName(gateway)} still answers requests and keeps their rows in its journal, so nothing is lost. Reports and limits do not count them until the database accepts them. ${toErrorText(error)}`.trim(),
      "Check the database and the connection to it: majordomo-gateway doctor says what is wrong.",
    ),
    fields: [
      { label: "Waiting", value: formatCount(waiting) },
      { label: "Oldest", value: formatDuration(oldest) },
      { label: "Gateway", value: toName(gateway) },
    ],
    tables: [],
    link: toLink(context, { label: "Open the status", view: "status" }),
  }
}

export const toRowsDroppedDraft: Template<"rows_dropped"> = ({ facts }, context) => {
  const { gateway, dropped, rejected, last_error: error } = facts
  const were = (count: number) => (count === 1 ? "was" : "were")
  const title =
    rejected === 0
      ? `${countOf(dropped, "row")} ${were(dropped)} dropped`
      : dropped === 0
        ? `The database rejected ${countOf(rejected, "row")}`
        : `${countOf(dropped, "row")} ${were(dropped)} dropped, and ${formatCount(rejected)} ${were(rejected)} rejected`
  return {
    title: `${title} at ${toName(gateway)}`,
    summary: toParagraphs(
      `Reports lack these requests, so they show less than the bill. ${toErrorText(error)}`.trim(),
      rejected === 0 ? undefined : "Rejected rows are kept in rejected.jsonl in the journal of this gateway.",
      dropped === 0
        ? undefined
        : "Rows are dropped if neither the database nor the disk takes them: check the free space of the data directory.",
      "majordomo-gateway verify shows how many rows are missing, and reconcile what they cost.",
    ),
    fields: [
      { label: "Dropped", value: formatCount(dropped) },
      { label: "Rejected", value: formatCount(rejected) },
      { label: "Gateway", value: toName(gateway) },
    ],
    tables: [],
    link: toLink(context, { label: "Open the status", view: "status" }),
  }
}

const MAX_ERROR = 300

function toErrorText(error: string | undefined): string {
  return error === undefined || error === "" ? "" : `The last error: ${toName(error, MAX_ERROR)}`
}
