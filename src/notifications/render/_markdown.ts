import { cut, defuse, ZERO_WIDTH_SPACE } from "./_text.ts"

/** Escapes a text for Markdown, as Discord and Mattermost read it, so that no name becomes markup, a link or a mention. */
export function escapeMarkdown(text: string): string {
  return defuse(text)
    .replace(/[\\`*_{}[\]()#+\-!>~|]/g, "\\$&")
    .replaceAll("<", `<${ZERO_WIDTH_SPACE}`)
    .replace(/:(?=[A-Za-z+][\w+-]*:)/g, `:${ZERO_WIDTH_SPACE}`)
}

/** Returns a block in which nothing is markup. Its text cannot end it. */
export function toCodeBlock(text: string, max: number): string {
  return `\`\`\`\n${cut(text.replaceAll("`", "'"), max - 8)}\n\`\`\``
}

/** Returns a link. `url` is ours. */
export function toMarkdownLink({ label, url }: { readonly label: string; readonly url: string }): string {
  return `[${escapeMarkdown(label)}](${url.replaceAll("(", "%28").replaceAll(")", "%29")})`
}
