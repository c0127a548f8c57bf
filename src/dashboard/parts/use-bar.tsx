import { formatAmount, formatUse, type Limit, toNearness, toParts } from "../kit/limits.ts"

/** The use of a limit: what requests have used, and in a lighter tone what is reserved. */
export function UseBar({ of }: { readonly of: Limit }) {
  const { used, reserved } = toParts(of)
  const title = `${formatAmount(of, of.used)} used, ${formatAmount(of, of.reserved)} reserved, of ${formatAmount(of, of.amount)}`
  return (
    <span class={`use is-${toNearness(of)}`} title={title}>
      <span class="use-bar" aria-hidden="true">
        <i style={{ width: `${used * 100}%` }} />
        <i class="is-reserved" style={{ width: `${reserved * 100}%` }} />
      </span>
      <span class="num">{formatUse(of)}</span>
    </span>
  )
}
