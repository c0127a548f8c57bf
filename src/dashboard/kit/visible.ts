import { options } from "preact"

/**
 * The characters that do not appear as themselves, as in `core/text.ts`, but for the tabs and newlines of bodies. A mark
 * that changes the direction of writing makes one name look like another one.
 */
const INVISIBLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** Attributes that people see or hear. The value of a field is not one of them: what is sent stays what it is. */
const SHOWN = ["title", "aria-label"]

/** Shows invisible characters as U+FFFD in every text of the page, wherever it is from. */
export function showInvisible(): void {
  const before = options.vnode
  options.vnode = (node) => {
    // Preact gives a text a node without a type.
    const { type, props } = node as { readonly type: unknown; props: unknown }
    if (type === null && typeof props === "string") Object.assign(node, { props: toVisible(props) })
    else if (typeof type === "string") showAttributes(props as Record<string, unknown>)
    before?.(node)
  }
}

function showAttributes(props: Record<string, unknown>): void {
  for (const name of SHOWN) {
    const text = props[name]
    if (typeof text === "string") props[name] = toVisible(text)
  }
}

function toVisible(text: string): string {
  return text.replace(INVISIBLE, "\ufffd")
}
