import type { ComponentChildren } from "preact"

interface CardProps {
  readonly title: ComponentChildren
  /** Controls on the right of the title. */
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
  readonly class?: string
}

/** A part of a page with a heading. */
export function Card({ title, actions, children, class: name }: CardProps) {
  return (
    <section class={name === undefined ? "card" : `card ${name}`}>
      <header class="card-head">
        <h2>{title}</h2>
        {actions && <div class="card-actions">{actions}</div>}
      </header>
      {children}
    </section>
  )
}

/** Names and values below each other. Entries whose value is undefined are left out. */
export function Facts({ items }: { readonly items: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {items
        .filter(([, value]) => value !== undefined && value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
