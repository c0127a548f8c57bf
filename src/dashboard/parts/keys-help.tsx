import { PERIODS } from "../kit/period.ts"
import type { View } from "../view.ts"
import { Dialog } from "./dialog.tsx"

const GENERAL: readonly (readonly [key: string, does: string])[] = [
  ["/", "Filter by a name"],
  ["Ctrl K", "Find anything"],
  ["x", "Comparison on or off"],
  ["j  k", "Next and previous row"],
  ["Enter", "Open the row, or filter by it"],
  ["Esc", "Close"],
  ["?", "These keys"],
]

/** The keys that the dashboard understands. */
export function KeysHelp({ views, onClose }: { readonly views: readonly View[]; readonly onClose: () => void }) {
  const pages = views.flatMap(({ key, title }) => (key === undefined ? [] : [[`g ${key}`, title] as const]))
  const periods = PERIODS.flatMap(({ key, title }) => (key === undefined ? [] : [[key, title] as const]))
  return (
    <Dialog title="Keys" onClose={onClose}>
      <div class="keys">
        <KeyList title="Everywhere" keys={GENERAL} />
        <KeyList title="Period" keys={periods} />
        <KeyList title="Pages" keys={pages} />
      </div>
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

function KeyList({ title, keys }: { title: string; keys: readonly (readonly [key: string, does: string])[] }) {
  return (
    <section>
      <h3>{title}</h3>
      <dl>
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>{key.split(" ").map((one) => one && <kbd key={one}>{one}</kbd>)}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
