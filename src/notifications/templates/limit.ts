import { formatAmount, formatMoment, toName } from "../_format.ts"
import { type Template, toArgument, toLink, toParagraphs } from "./_template.ts"

export const toLimitDraft: Template<"limit"> = ({ facts }, context) => {
  const { limit_id: id, name, value, percent, used, amount, unit, action, resets_at: resetsAt } = facts
  const isUsedUp = percent >= 100
  const whose = value === "" ? "" : ` by "${toName(value)}"`
  const numbers = `${formatAmount(used, unit)} of ${formatAmount(amount, unit)}`
  const until = resetsAt === undefined ? "until its amount is raised" : `until ${formatMoment(resetsAt)}`
  const blocked = isUsedUp
    ? `Requests under this limit are rejected with status 429 ${until}.`
    : `At 100%, requests under this limit are rejected with status 429 ${until}.`
  const effect = action === "block" ? blocked : "This limit only warns, so no request is rejected."
  const command = `majordomo-gateway limits update ${toArgument(id, "NAME")} --amount AMOUNT`
  const advice = `To see who used it, open the limit in the dashboard. To allow more, run: ${command}`
  return {
    title: `Limit "${toName(name)}" ${isUsedUp ? "is used up" : `has reached ${percent}%`}${whose}: ${numbers}`,
    summary: toParagraphs(effect, advice),
    fields: [
      { label: "Used", value: formatAmount(used, unit) },
      { label: "Limit", value: formatAmount(amount, unit) },
      ...(value === "" ? [] : [{ label: "For", value: toName(value) }]),
      { label: "Resets", value: resetsAt === undefined ? "never" : formatMoment(resetsAt) },
    ],
    tables: [],
    link: toLink(context, { label: "Open the limit", view: "limits", params: { id } }),
  }
}
