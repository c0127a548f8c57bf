import { formatCount, formatExactMoment } from "../kit/format.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion } from "../kit/question.ts"
import { type RequestBodies, type RequestDetails, toCurl, toKeyName } from "../kit/request.ts"
import { Card, Facts } from "../parts/card.tsx"
import { CopyButton } from "../parts/copy.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { Duration, Money, Status } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { Bodies } from "./_bodies.tsx"
import { Certificate } from "./_certificate.tsx"

/** One request: what it was, what it cost and why. */
export function Request({ session }: PageProps) {
  const question = useQuestion()
  const id = question.params.get("id") ?? ""
  const path = id === "" ? undefined : `/requests/${encodeURIComponent(id)}`
  const request = useQuery<RequestDetails>(path)
  const mayRead = isAllowed(session.role, "auditor")
  const bodies = useQuery<RequestBodies>(mayRead && path !== undefined ? `${path}/body` : undefined)
  if (path === undefined) return <Empty title="The address has no id of a request" />
  if (request.problem) return <Failure problem={request.problem} retry={request.reload} />
  const { data } = request
  if (data === undefined || data.id.toLowerCase() !== id.toLowerCase()) {
    return (
      <Card title="Request">
        <Skeleton lines={12} />
      </Card>
    )
  }
  const link = `${window.location.origin}/dashboard/request?id=${data.id}`
  return (
    <>
      <Card
        title={<code class="id">{data.id}</code>}
        actions={
          <>
            <CopyButton text={link} label="Copy link" />
            <CopyButton text={toCurl(data, bodies.data, window.location.origin)} label="Copy as curl" />
          </>
        }
      >
        <Summary request={data} question={question} />
        {data.error_message && <pre class="error-text">{data.error_message}</pre>}
      </Card>
      <Certificate request={data} />
      <Metadata request={data} question={question} />
      {mayRead ? (
        <Bodies bodies={bodies} />
      ) : (
        <Card title="Bodies">
          <Empty title="Your role does not read bodies">They need the role auditor.</Empty>
        </Card>
      )}
    </>
  )
}

interface PartProps {
  readonly request: RequestDetails
  readonly question: Question
}

function Summary({ request, question: { tz, hrefOf } }: PartProps) {
  const { model, requested_model, provider } = request
  const keyId = request.majordomo_api_key_id
  const name = <bdi>{toKeyName(request)}</bdi>
  return (
    <Facts
      items={[
        [
          "Cost",
          <strong key="cost">
            <Money usd={request.total_cost} digits={6} />
          </strong>,
        ],
        ["Billing", request.billing ? `${request.billing}: the cost is what the API would have charged` : undefined],
        ["Status", <Status key="status" code={request.status_code} outcome={request.outcome} />],
        [
          "Time",
          <time key="time" dateTime={request.requested_at}>
            {formatExactMoment(request.requested_at, tz)}
          </time>,
        ],
        ["Latency", <Duration key="latency" ms={request.response_time_ms} />],
        ["First byte after", <Duration key="first" ms={request.first_byte_ms} />],
        [
          "Model",
          <a key="model" href={hrefOf("", { model })}>
            <bdi>{model}</bdi>
          </a>,
        ],
        ["Requested model", requested_model === model ? undefined : <bdi key="requested">{requested_model}</bdi>],
        [
          "Provider",
          <a key="provider" href={hrefOf("", { provider })}>
            <bdi>{provider}</bdi>
          </a>,
        ],
        [
          "API key",
          keyId === null ? (
            name
          ) : (
            <a key="key" href={hrefOf("", { key: keyId })}>
              {name}
            </a>
          ),
        ],
        ["Input tokens", toTokens(request)],
        ["Output tokens", toOutput(request)],
        ["Endpoint", <code key="path">{`${request.request_method} ${request.request_path}`}</code>],
        ["Transfer", toTransfer(request)],
        ["Tokens are", request.usage_source === "reported" ? "reported by the provider" : request.usage_source],
      ]}
    />
  )
}

function toTransfer({ streamed, transport }: RequestDetails): string {
  if (transport === "websocket") return "on a WebSocket"
  return streamed ? "streamed" : "whole"
}

function toTokens({ input_tokens, cached_tokens, cache_creation_tokens }: RequestDetails): string {
  const cache = cached_tokens + cache_creation_tokens
  if (cache === 0) return formatCount(input_tokens)
  return `${formatCount(input_tokens)}, of which ${formatCount(cached_tokens)} from the cache and ${formatCount(cache_creation_tokens)} written to it`
}

function toOutput({ output_tokens, reasoning_tokens }: RequestDetails): string {
  return reasoning_tokens > 0
    ? `${formatCount(output_tokens)}, of which ${formatCount(reasoning_tokens)} for reasoning`
    : formatCount(output_tokens)
}

/** What the client said about the request. Each value filters; the trace opens its run. */
function Metadata({ request: { raw_metadata, id }, question: { hrefOf } }: PartProps) {
  const entries = Object.entries(raw_metadata ?? {})
  const trace = raw_metadata?.["Trace-Id"] || raw_metadata?.["Session-Id"]
  if (entries.length === 0) return null
  return (
    <Card
      title="Metadata"
      actions={
        trace && (
          <a class="button" href={hrefOf("run", { trace, id })}>
            Show its run
          </a>
        )
      }
    >
      <Facts
        items={entries.map(([name, value]) => [
          name,
          <a key={name} href={hrefOf("", { where: `${name}=${value}` })}>
            <bdi>{value}</bdi>
          </a>,
        ])}
      />
    </Card>
  )
}
