import type { ComponentChildren } from "preact"

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ComponentChildren
  /** Numbers stand on the right, so that their decimal points are below each other. */
  readonly isNumber?: boolean
  /** Hidden on narrow screens: `m` below 720 px, `l` below 1100 px. */
  readonly hide?: "m" | "l"
  /** It takes the space that is left, and its text is cut with an ellipsis. */
  readonly isWide?: boolean
  /** It has a second line on narrow screens. */
  readonly isTall?: boolean
  /** Sorts by this column. */
  readonly sortHref?: string
  readonly isSorted?: boolean
}

export interface TableProps<Row> {
  /** What the table contains, for screen readers. */
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /**
   * The address that a row opens. It is a link in the first cell, which `j` and `k` move to, and the whole row is its target.
   */
  readonly hrefOf?: (row: Row) => string | undefined
  readonly isStale?: boolean
}

/** A table whose numbers are aligned and whose rows are links. */
export function Table<Row>({ label, columns, rows, keyOf, hrefOf, isStale }: TableProps<Row>) {
  return (
    <div class="table-box" data-stale={isStale ? "" : undefined}>
      <table class="table">
        <caption class="hidden">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.title}
                scope="col"
                class={toClass(column)}
                aria-sort={column.isSorted ? "descending" : undefined}
              >
                {column.sortHref === undefined ? column.title : <a href={column.sortHref}>{column.title}</a>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const href = hrefOf?.(row)
            return (
              <tr key={keyOf(row)} class={href === undefined ? undefined : "is-link"}>
                {columns.map((column, i) => (
                  <td key={column.title} class={toClass(column)}>
                    {i === 0 && href !== undefined ? (
                      <a class="row-link" data-row href={href}>
                        {column.cell(row)}
                      </a>
                    ) : (
                      column.cell(row)
                    )}
                  </td>
                ))}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function toClass<Row>({ isNumber, hide, isWide, isTall }: Column<Row>): string | undefined {
  const names = [isNumber && "right", hide && `hide-${hide}`, isWide && "wide", isTall && "two-lines"].filter(Boolean)
  return names.length === 0 ? undefined : names.join(" ")
}
