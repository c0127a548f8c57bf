import type { ComponentChildren } from "preact"
import { Skeleton } from "./states.tsx"
import { Change } from "./value.tsx"

interface TileProps {
  readonly title: string
  readonly value: ComponentChildren
  readonly change?: number | undefined
  /** The value of the period before, or what else a reader needs to know about the figure. */
  readonly note?: ComponentChildren
  /** Shows the figure in the chart. */
  readonly href?: string
  readonly isCurrent?: boolean
  readonly isLoading: boolean
}

/** One figure of the period. */
export function Tile({ title, value, change, note, href, isCurrent, isLoading }: TileProps) {
  const content = (
    <>
      <span class="tile-title">{title}</span>
      <span class="tile-value num">{isLoading ? <Skeleton /> : value}</span>
      <span class="tile-note">
        {!isLoading && change !== undefined && <Change value={change} />}
        {!isLoading && note && <span class="num">{note}</span>}
      </span>
    </>
  )
  if (href === undefined) return <div class="tile">{content}</div>
  return (
    <a class="tile" href={href} aria-current={isCurrent ? "true" : undefined}>
      {content}
    </a>
  )
}
