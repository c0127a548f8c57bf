import { useState } from "preact/hooks"
import { change, type Session } from "../kit/api.ts"
import { divide, type SignedIn } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { FormDialog } from "../parts/dialog.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { Moment, State } from "../parts/value.tsx"
import { isAllowed } from "../view.ts"

/** Who signed in to the dashboard in the last 30 days. */
export function Sessions({ session }: { readonly session: Session }) {
  const { tz } = useQuestion()
  const sessions = useQuery<readonly SignedIn[]>("/sessions")
  const [ending, setEnding] = useState<SignedIn>()
  const { active, past } = divide(sessions.data ?? [])
  const mayChange = isAllowed(session.role, "admin")
  const columns = toColumns(tz, session.id)
  return (
    <Card title="Sessions of the last 30 days">
      {sessions.problem && <Failure problem={sessions.problem} retry={sessions.reload} />}
      {sessions.data === undefined && !sessions.problem && <Skeleton lines={6} />}
      {sessions.data?.length === 0 && <Empty title="Nobody signed in" />}
      {sessions.data !== undefined && sessions.data.length > 0 && (
        <LongTable
          label="Sessions"
          columns={mayChange ? [...columns, toAction(session.id, setEnding)] : columns}
          rows={[...active, ...past]}
          keyOf={({ id }) => id}
        />
      )}
      {ending && <EndSession of={ending} onDone={sessions.reload} onClose={() => setEnding(undefined)} />}
    </Card>
  )
}

const HOW = { token: "admin token", code: "link", oidc: "OpenID Connect" } as const

function toColumns(tz: string, ownId: string): Column<SignedIn>[] {
  return [
    {
      title: "Name",
      cell: ({ id, name }) => (
        <bdi title={name}>
          {name}
          {id === ownId && <span class="quiet aside">this browser</span>}
        </bdi>
      ),
      isWide: true,
    },
    { title: "Role", cell: ({ role }) => role },
    { title: "State", cell: ({ status }) => <State is={status} />, hide: "m" },
    { title: "Signed in by", cell: ({ how }) => HOW[how], hide: "l" },
    { title: "From", cell: ({ address }) => address ?? "", hide: "m" },
    { title: "Began", cell: ({ created_at }) => <Moment iso={created_at} tz={tz} />, isNumber: true, hide: "l" },
    {
      title: "Last seen",
      cell: ({ last_seen_at }) => <Moment iso={last_seen_at} tz={tz} />,
      isNumber: true,
      hide: "m",
    },
  ]
}

function toAction(ownId: string, onEnd: (session: SignedIn) => void): Column<SignedIn> {
  return {
    title: "Change",
    cell: (one) => {
      if (one.status === "active" && one.id !== ownId) {
        return (
          <button type="button" class="button" aria-label={`End the session of ${one.name}`} onClick={() => onEnd(one)}>
            End
          </button>
        )
      }
      return (
        <span class="only-m">
          <State is={one.status} />
        </span>
      )
    },
    isNumber: true,
  }
}

interface EndProps {
  readonly of: SignedIn
  readonly onDone: () => void
  readonly onClose: () => void
}

function EndSession({ of: { id, name }, onDone, onClose }: EndProps) {
  const submit = async () => {
    await change("DELETE", `/sessions/${encodeURIComponent(id)}`)
    onDone()
  }
  return (
    <FormDialog title="End the session" action="End it" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        <bdi class="name">{name}</bdi> has to sign in again.
      </p>
    </FormDialog>
  )
}
