import { useState } from "preact/hooks"
import { formatCount } from "../kit/format.ts"
import { Table, type TableProps } from "./table.tsx"

const PAGE = 100

/** A table that shows its first rows, and more whenever the reader wants them. */
export function LongTable<Row>({ rows, ...props }: TableProps<Row>) {
  const [shown, setShown] = useState(PAGE)
  return (
    <>
      <Table {...props} rows={rows.slice(0, shown)} />
      {rows.length > shown && (
        <div class="more">
          <button type="button" class="button" onClick={() => setShown(shown * 3)}>
            Show more
          </button>
          <span class="quiet">{`${formatCount(shown)} of ${formatCount(rows.length)}`}</span>
        </div>
      )}
    </>
  )
}
