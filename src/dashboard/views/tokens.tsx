import { useState } from "preact/hooks"
import { change } from "../kit/api.ts"
import { type AdminToken, divide } from "../kit/manage.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { FormDialog, SecretDialog } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/form.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { MaybeMoment, Moment, State } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { Sessions } from "./_sessions.tsx"

/** Who may use the admin API and this dashboard. */
export function Tokens({ session }: PageProps) {
  const { tz } = useQuestion()
  const tokens = useQuery<readonly AdminToken[]>("/tokens")
  const [isCreating, setCreating] = useState(false)
  const [secret, setSecret] = useState<string>()
  const [revoking, setRevoking] = useState<AdminToken>()
  if (tokens.problem) return <Failure problem={tokens.problem} retry={tokens.reload} />
  const { active, past } = divide(tokens.data ?? [])
  const mayChange = isAllowed(session.role, "admin")
  return (
    <>
      <Card
        title="Admin tokens"
        actions={
          mayChange && (
            <button type="button" class="button primary" onClick={() => setCreating(true)}>
              Create token
            </button>
          )
        }
      >
        {tokens.data === undefined && <Skeleton lines={6} />}
        {tokens.data?.length === 0 && (
          <Empty title="There is no admin token">A token gives a program or a person access to the admin API.</Empty>
        )}
        {tokens.data !== undefined && tokens.data.length > 0 && (
          <LongTable
            label="Admin tokens"
            columns={toColumns(tz, mayChange ? setRevoking : undefined)}
            rows={[...active, ...past]}
            keyOf={({ id }) => id}
          />
        )}
      </Card>
      <Sessions session={session} />
      {isCreating && (
        <CreateToken
          onDone={({ token }) => {
            setSecret(token)
            tokens.reload()
          }}
          onClose={() => setCreating(false)}
        />
      )}
      {secret && (
        <SecretDialog title="The new admin token" secret={secret} onClose={() => setSecret(undefined)}>
          <p>
            Programs send it as <code>Authorization: Bearer</code>, and people sign in here with it.
          </p>
        </SecretDialog>
      )}
      {revoking && <RevokeToken of={revoking} onDone={tokens.reload} onClose={() => setRevoking(undefined)} />}
    </>
  )
}

function toColumns(tz: string, onRevoke: ((token: AdminToken) => void) | undefined): Column<AdminToken>[] {
  return [
    { title: "Name", cell: ({ name }) => <bdi title={name}>{name}</bdi>, isWide: true },
    { title: "Role", cell: ({ role }) => role },
    { title: "State", cell: ({ status }) => <State is={status} />, hide: "m" },
    {
      title: "Created",
      cell: ({ created_at, created_by }) => (
        <span title={`by ${created_by}`}>
          <Moment iso={created_at} tz={tz} />
        </span>
      ),
      isNumber: true,
      hide: "l",
    },
    {
      title: "Expires",
      cell: ({ expires_at }) => <MaybeMoment iso={expires_at} tz={tz} none="never" />,
      isNumber: true,
      hide: "m",
    },
    {
      title: "Last used",
      cell: ({ last_used_at }) => <MaybeMoment iso={last_used_at} tz={tz} none="never" />,
      isNumber: true,
      hide: "m",
    },
    ...(onRevoke === undefined ? [] : [toAction(onRevoke)]),
  ]
}

function toAction(onRevoke: (token: AdminToken) => void): Column<AdminToken> {
  return {
    title: "Change",
    cell: (token) =>
      token.status !== "active" ? (
        <span class="only-m">
          <State is={token.status} />
        </span>
      ) : (
        <button type="button" class="button" aria-label={`Revoke ${token.name}`} onClick={() => onRevoke(token)}>
          Revoke
        </button>
      ),
    isNumber: true,
  }
}

type CreatedToken = AdminToken & { readonly token: string }

interface CreateProps {
  readonly onDone: (created: CreatedToken) => void
  readonly onClose: () => void
}

function CreateToken({ onDone, onClose }: CreateProps) {
  const submit = async ({ name, role, expires }: Readonly<Record<string, string>>) =>
    onDone(await change<CreatedToken>("POST", "/tokens", { name, role, ...(expires && { expires }) }))
  return (
    <FormDialog title="Create an admin token" action="Create" onSubmit={submit} onClose={onClose}>
      <Field label="Name" name="name" hint="Who or what uses it." isRequired isFirst />
      <Choice
        label="Role"
        name="role"
        options={[
          ["viewer", "viewer: reads everything except bodies"],
          ["auditor", "auditor: reads bodies too"],
          ["admin", "admin: changes things"],
        ]}
      />
      <Field
        label="Valid for"
        name="expires"
        placeholder="90d"
        hint="Such as 90d, 12w or 1y. Empty: until it is revoked."
      />
    </FormDialog>
  )
}

interface RevokeProps {
  readonly of: AdminToken
  readonly onDone: () => void
  readonly onClose: () => void
}

function RevokeToken({ of: { id, name }, onDone, onClose }: RevokeProps) {
  const submit = async () => {
    await change("DELETE", `/tokens/${encodeURIComponent(id)}`)
    onDone()
  }
  return (
    <FormDialog title="Revoke the admin token" action="Revoke" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        <bdi class="name">{name}</bdi> is rejected from now on, and the sessions of those who signed in with it end.
        This cannot be undone.
      </p>
    </FormDialog>
  )
}
