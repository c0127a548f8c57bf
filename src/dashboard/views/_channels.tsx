import { useState } from "preact/hooks"
import { change } from "../kit/api.ts"
import { type Channel, describeRules } from "../kit/notifications.ts"
import { toProblem } from "../kit/query.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { MaybeMoment } from "../parts/value.tsx"

interface ChannelsProps {
  readonly channels: readonly Channel[] | undefined
  readonly tz: string
  readonly mayTest: boolean
  readonly onTested: () => void
}

/** The channels of the configuration, what the rules send to each, and a button that tries it. */
export function Channels({ channels, tz, mayTest, onTested }: ChannelsProps) {
  return (
    <Card title="Channels">
      {channels === undefined && <Skeleton lines={3} />}
      {channels?.length === 0 && <NoChannels />}
      {channels !== undefined && channels.length > 0 && (
        <Table
          label="Channels"
          columns={toColumns(tz, mayTest ? onTested : undefined)}
          rows={channels}
          keyOf={({ name }) => name}
        />
      )}
    </Card>
  )
}

function NoChannels() {
  return (
    <Empty title="No channel is set up">
      <p>
        The gateway can tell you when a limit is nearly used, spend is unusual, a model has no price or a bill differs,
        and send a digest every day, week or month. Add a channel to the configuration, and restart the gateway:
      </p>
      <pre>{`notifications:
  channels:
    ops:     { type: slack, url: "https://hooks.slack.com/…" }
    finance: { type: email, to: [f@example.com], from: gateway@example.com,
               smtp: "smtps://user:password@mail.example.com" }
  rules:                     # without rules: everything but digests, to all channels
    - { when: [limit, anomaly, unpriced_model], to: [ops] }
    - { when: digest, every: week, to: [finance] }`}</pre>
    </Empty>
  )
}

function toColumns(tz: string, onTested: (() => void) | undefined): Column<Channel>[] {
  return [
    {
      title: "Name",
      cell: ({ name, type, address }) => (
        <>
          <bdi title={name}>{name}</bdi>
          <span class="quiet aside">
            {type}, <bdi title={address}>{address}</bdi>
          </span>
        </>
      ),
      isWide: true,
      isTall: true,
    },
    { title: "Gets", cell: (channel) => <Rules of={channel} />, hide: "l" },
    { title: "Last sent", cell: (channel) => <LastSent of={channel} tz={tz} />, hide: "m" },
    ...(onTested === undefined
      ? []
      : [
          {
            title: "Test",
            cell: (channel: Channel) => <TestButton of={channel} onTested={onTested} />,
            isNumber: true,
          },
        ]),
  ]
}

function Rules({ of }: { readonly of: Channel }) {
  const text = describeRules(of)
  return (
    <span class="cut" title={text}>
      {text}
    </span>
  )
}

function LastSent({ of: { last_sent_at: at, last_error: error }, tz }: { readonly of: Channel; readonly tz: string }) {
  return (
    <>
      <MaybeMoment iso={at} tz={tz} none="nothing yet" />
      {error !== null && (
        <span class="mark mark-bad" title={error}>
          last attempt failed
        </span>
      )}
    </>
  )
}

interface TestAnswer {
  readonly accepted: boolean
  readonly error: string | null
}

/** Sends a test message, and says beside the button whether its receiver accepted it. */
function TestButton({ of: { name }, onTested }: { readonly of: Channel; readonly onTested: () => void }) {
  const [state, setState] = useState<"sending" | TestAnswer>()
  const test = async () => {
    setState("sending")
    try {
      setState(await change<TestAnswer>("POST", `/notifications/channels/${encodeURIComponent(name)}/test`))
      onTested()
    } catch (error) {
      setState({ accepted: false, error: toProblem(error).message })
    }
  }
  const answer = state === "sending" ? undefined : state
  return (
    <span class="channel-test">
      <span role="status">
        {answer?.accepted && <span class="mark mark-on">accepted</span>}
        {answer?.accepted === false && <span class="channel-error">{answer.error}</span>}
      </span>
      <button
        type="button"
        class="button"
        aria-label={`Send a test to ${name}`}
        disabled={state === "sending"}
        onClick={() => void test()}
      >
        Test
      </button>
    </span>
  )
}
