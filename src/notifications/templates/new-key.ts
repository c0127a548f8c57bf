import { toName } from "../_format.ts"
import { type Template, toArgument, toLink, toParagraphs } from "./_template.ts"

export const toNewKeyDraft: Template<"new_key"> = ({ facts }, context) => {
  const { key_id: id, name, provider, model, request_id: requestId } = facts
  const asked = model === undefined ? toName(provider) : `${toName(model)} at ${toName(provider)}`
  return {
    title: `The key "${toName(name)}" was used for the first time`,
    summary: toParagraphs(
      `Its first request asked ${asked}.`,
      `If you did not expect it, revoke the key: majordomo-gateway keys revoke ${toArgument(id, "ID")}`,
    ),
    fields: [
      { label: "Key", value: toName(name) },
      { label: "Provider", value: toName(provider) },
      ...(model === undefined ? [] : [{ label: "Model", value: toName(model) }]),
      { label: "Request", value: toName(requestId) },
    ],
    tables: [],
    link: toLink(context, { label: "Open the key", view: "key", params: { id } }),
  }
}
