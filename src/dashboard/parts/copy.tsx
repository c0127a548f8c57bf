import { useEffect, useState } from "preact/hooks"

/** Copies a text. `label` says what. */
export function CopyButton({ text, label = "Copy" }: { readonly text: string; readonly label?: string }) {
  const [copied, setCopied] = useState<boolean>()
  useEffect(() => {
    if (copied === undefined) return
    const timer = setTimeout(() => setCopied(undefined), 2_000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = () => void copyText(text).then(setCopied)
  return (
    <button type="button" class="button copy" onClick={copy}>
      {/* Both texts are there, so that the button keeps its width. */}
      <span class={copied === undefined ? undefined : "invisible"}>{label}</span>
      <span class={copied === undefined ? "invisible" : undefined} aria-live="polite">
        {copied === undefined ? "" : copied ? "Copied" : "Not allowed"}
      </span>
    </button>
  )
}

/** The clipboard needs HTTPS or loopback; the older way works everywhere. */
async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard !== undefined) {
    const done = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    )
    if (done) return true
  }
  const field = document.createElement("textarea")
  field.value = text
  const host = document.querySelector("dialog[open]") ?? document.body
  host.append(field)
  field.select()
  const done = document.execCommand("copy")
  field.remove()
  return done
}
