import { useState } from "preact/hooks"
import { formatCount, formatExactMoment } from "../kit/format.ts"
import type { Limit } from "../kit/limits.ts"
import { type Key as ApiKey, formatLimit } from "../kit/manage.ts"
import { formatValues } from "../kit/metadata.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card, Facts } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { State } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { BoundTo, useProviderKeys } from "./_bindings.tsx"
import { Expiry } from "./_expiry.tsx"
import {
  KeySecret,
  Revocation,
  type RevokedKey,
  RevokeKey,
  type RotatedKey,
  RotateKey,
  UpdateKey,
} from "./_key-dialogs.tsx"
import { LimitTable } from "./limits.tsx"

/** One API key, and what can be done with it. */
export function Key({ session }: PageProps) {
  const { params, tz, hrefOf } = useQuestion()
  const id = params.get("id") ?? ""
  const key = useQuery<ApiKey>(id === "" ? undefined : `/keys/${encodeURIComponent(id)}`)
  const [opened, setOpened] = useState<"update" | "rotate" | "revoke">()
  const [rotated, setRotated] = useState<RotatedKey>()
  const [revoked, setRevoked] = useState<RevokedKey>()
  const isAdmin = isAllowed(session.role, "admin")
  const providerKeys = useProviderKeys(isAdmin)
  if (id === "") return <Empty title="The address has no id of a key" />
  if (key.problem) return <Failure problem={key.problem} retry={key.reload} />
  const { data } = key
  if (data === undefined) {
    return (
      <Card title="Key">
        <Skeleton lines={4} />
      </Card>
    )
  }
  const close = () => setOpened(undefined)
  const mayChange = data.status !== "revoked" && isAdmin
  return (
    <>
      <Card
        title={<bdi class="id">{data.name}</bdi>}
        actions={
          <>
            <a class="button" href={hrefOf("", { key: data.id })}>
              Show its usage
            </a>
            {mayChange && <Actions onOpen={setOpened} />}
          </>
        }
      >
        <KeyFacts of={data} tz={tz} />
      </Card>
      <KeyLimits of={data} />
      {opened === "update" && <UpdateKey of={data} providerKeys={providerKeys} onDone={key.reload} onClose={close} />}
      {opened === "rotate" && <RotateKey of={data} onDone={setRotated} onClose={close} />}
      {opened === "revoke" && (
        <RevokeKey
          of={data}
          onDone={(result) => {
            setRevoked(result)
            key.reload()
          }}
          onClose={close}
        />
      )}
      {rotated && (
        <KeySecret
          created={rotated}
          tz={tz}
          onClose={() => {
            setRotated(undefined)
            key.reload()
          }}
        />
      )}
      {revoked && <Revocation revoked={revoked} tz={tz} onClose={() => setRevoked(undefined)} />}
    </>
  )
}

/** The limits that apply to all requests of a key. */
function KeyLimits({ of }: { readonly of: ApiKey }) {
  const { hrefOf } = useQuestion()
  const { data = [] } = useQuery<readonly Limit[]>("/limits", { key: of.id })
  if (data.length === 0) return null
  return (
    <Card title="Limits">
      <LimitTable limits={data} hrefOf={({ id }) => hrefOf("limits", { id })} />
    </Card>
  )
}

function Actions({ onOpen }: { readonly onOpen: (name: "update" | "rotate" | "revoke") => void }) {
  return (
    <>
      <button type="button" class="button" onClick={() => onOpen("update")}>
        Update
      </button>
      <button type="button" class="button" onClick={() => onOpen("rotate")}>
        Rotate
      </button>
      <button type="button" class="button danger" onClick={() => onOpen("revoke")}>
        Revoke
      </button>
    </>
  )
}

function KeyFacts({ of, tz }: { readonly of: ApiKey; readonly tz: string }) {
  const time = (iso: string) => <time dateTime={iso}>{formatExactMoment(iso, tz)}</time>
  return (
    <Facts
      items={[
        ["State", <State key="state" is={of.status} />],
        ["Requests", formatCount(of.request_count)],
        ["Last used", of.last_used_at === null ? "never" : time(of.last_used_at)],
        ["Created", time(of.created_at)],
        ["Expires", <Expiry key="expires" of={of} tz={tz} />],
        [
          "Old secret",
          of.previous_secret_until === null ? undefined : <>works until {time(of.previous_secret_until)}</>,
        ],
        ["Models", of.models?.join(", ")],
        ["Providers", of.providers?.join(", ")],
        ["Limits", of.limits.map(formatLimit).join(", ") || undefined],
        ["Revoked", of.revoked_at === null ? undefined : time(of.revoked_at)],
        ["Description", of.description === null ? undefined : <bdi key="description">{of.description}</bdi>],
        ["Discount", of.discount_percent === null ? undefined : `${of.discount_percent}% of the list prices`],
        [
          "Provider keys",
          of.provider_keys.length === 0 ? undefined : <BoundTo key="bound" bindings={of.provider_keys} />,
        ],
        ["Default metadata", formatValues(of.default_metadata) || undefined],
        ["Locked metadata", formatValues(of.locked_metadata) || undefined],
        ["Required metadata", of.required_metadata.join(", ") || undefined],
        ["Id", <code key="id">{of.id}</code>],
      ]}
    />
  )
}
