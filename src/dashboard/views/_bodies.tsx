import type { Query } from "../kit/query.ts"
import type { RequestBodies } from "../kit/request.ts"
import { Card } from "../parts/card.tsx"
import { CopyButton } from "../parts/copy.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"

/** What was asked and answered, as far as it is stored. */
export function Bodies({ bodies }: { readonly bodies: Query<RequestBodies> }) {
  if (bodies.problem) {
    return (
      <Card title="Bodies">
        <Failure problem={bodies.problem} retry={bodies.reload} />
      </Card>
    )
  }
  const { data } = bodies
  if (data !== undefined && data.request_body == null && data.response_body == null) {
    return (
      <Card title="Bodies">
        <Empty title={data.bodies_from === "unreadable" ? "The stored bodies cannot be read" : "No bodies are stored"}>
          The setting <code>bodies</code> of the gateway decides whether they are.
        </Empty>
      </Card>
    )
  }
  return (
    <div class="pair">
      <Body
        title="Asked"
        text={data?.request_body}
        isLoading={data === undefined}
        isCut={data?.bodies_cut.includes("request")}
      />
      <Body
        title="Answered"
        text={data?.response_body}
        isLoading={data === undefined}
        isCut={data?.bodies_cut.includes("response")}
      />
    </div>
  )
}

interface BodyProps {
  readonly title: string
  readonly text: string | null | undefined
  readonly isLoading: boolean
  readonly isCut: boolean | undefined
}

function Body({ title, text, isLoading, isCut = false }: BodyProps) {
  return (
    <Card title={title} actions={text && <CopyButton text={text} />}>
      {isLoading && <Skeleton lines={6} />}
      {!isLoading &&
        (text == null ? (
          <Empty title="Not stored" />
        ) : (
          <section
            class="body"
            // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, also by the keyboard
            tabIndex={0}
            aria-label={title}
          >
            <pre dir="auto">{toPretty(text)}</pre>
          </section>
        ))}
      {isCut && <p class="quiet">Only the beginning is stored.</p>}
    </Card>
  )
}

/** JSON is indented; numbers keep their digits, because only whitespace outside of texts changes. */
function toPretty(text: string): string {
  try {
    JSON.parse(text)
  } catch {
    return text
  }
  let depth = 0
  const line = () => `\n${"  ".repeat(depth)}`
  return text.replace(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|\s+/g, (token) => {
    if (token.startsWith('"')) return token
    if (/^\s/.test(token)) return ""
    if (/^[{[]\s*[}\]]$/.test(token)) return token.replace(/\s/g, "")
    if (token === "{" || token === "[") {
      depth++
      return token + line()
    }
    if (token === "}" || token === "]") {
      depth--
      return line() + token
    }
    return token === "," ? token + line() : ": "
  })
}
