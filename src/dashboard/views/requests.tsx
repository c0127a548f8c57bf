import { download, toCsv } from "../kit/csv.ts"
import { useMetadataNames } from "../kit/find.ts"
import { navigate } from "../kit/location.ts"
import { usePages } from "../kit/pages.ts"
import { useQuestion, withParams } from "../kit/question.ts"
import { type RequestRow, toKeyName } from "../kit/request.ts"
import { type Tail, useTail } from "../kit/tail.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { Table } from "../parts/table.tsx"
import { toRequestColumns } from "./_request-columns.tsx"

const PAGE = 50
const MAX_NAMES = 2

/** The requests one by one, the newest first. */
export function Requests() {
  const question = useQuestion()
  const { input, params, href, hrefOf } = question
  const isFollowed = params.get("follow") === "1"
  const pages = usePages<RequestRow>("/requests", { ...input, limit: PAGE })
  const { since: _since, until: _until, tz: _tz, ...filters } = input
  const tail = useTail<RequestRow>("/requests/tail", filters, isFollowed)
  const names = pickNames(useMetadataNames().map(({ name }) => name))
  if (pages.problem) return <Failure problem={pages.problem} retry={pages.reload} />
  const rows = join(tail.items, pages.items ?? [])
  const follow = () => navigate(href(withParams(params, { follow: isFollowed ? undefined : "1" })), { replace: true })
  return (
    <Card
      title={<TailState tail={tail} />}
      actions={
        <>
          <button type="button" class="button" aria-pressed={isFollowed} onClick={follow}>
            {isFollowed ? "Following" : "Follow"}
          </button>
          <button type="button" class="button" onClick={() => download("requests.csv", rowsToCsv(rows))}>
            CSV
          </button>
        </>
      }
    >
      {pages.items === undefined && <Skeleton lines={20} />}
      {pages.items !== undefined && rows.length === 0 && (
        <Empty title="No requests match">Remove a filter, or choose a longer period.</Empty>
      )}
      {rows.length > 0 && (
        <Table
          label="Requests"
          columns={toRequestColumns(question, names)}
          rows={rows}
          keyOf={({ id }) => id}
          hrefOf={({ id }) => hrefOf("request", { id })}
          isStale={pages.isLoading}
        />
      )}
      {pages.hasMore && (
        <div class="more">
          <button type="button" class="button" disabled={pages.more === undefined} onClick={pages.more}>
            Show older requests
          </button>
        </div>
      )}
    </Card>
  )
}

const STATES: Readonly<Record<Tail<unknown>["state"], string>> = {
  off: "Newest first",
  connecting: "Connecting …",
  on: "Following new requests",
  failed: "New requests cannot be followed at present",
}

function TailState({ tail }: { readonly tail: Tail<RequestRow> }) {
  return (
    <span class="live" data-state={tail.state} role="status">
      {STATES[tail.state]}
    </span>
  )
}

/** The names that say who and what for come first. */
function pickNames(names: readonly string[]): readonly string[] {
  const known = ["User-Id", "Feature"].filter((name) => names.includes(name))
  return [...new Set([...known, ...names])].slice(0, MAX_NAMES)
}

/** A request that is followed may be in the list as well. */
function join(followed: readonly RequestRow[], listed: readonly RequestRow[]): readonly RequestRow[] {
  if (followed.length === 0) return listed
  const ids = new Set(followed.map(({ id }) => id))
  return [...followed, ...listed.filter(({ id }) => !ids.has(id))]
}

const FIELDS = [
  "id",
  "requested_at",
  "provider",
  "model",
  "status_code",
  "outcome",
  "response_time_ms",
  "input_tokens",
  "cached_tokens",
  "cache_creation_tokens",
  "output_tokens",
  "total_cost",
  "cost_status",
  "billing",
] as const

function rowsToCsv(rows: readonly RequestRow[]): string {
  const metadata = [...new Set(rows.flatMap(({ raw_metadata }) => Object.keys(raw_metadata ?? {})))].sort()
  return toCsv(
    [...FIELDS, "key", ...metadata],
    rows.map((row) => [
      ...FIELDS.map((field) => row[field]),
      toKeyName(row),
      ...metadata.map((name) => row.raw_metadata?.[name]),
    ]),
  )
}
