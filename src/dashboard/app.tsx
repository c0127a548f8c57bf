import { useEffect, useState } from "preact/hooks"
import { type ApiProblem, get, type Session, startSession } from "./kit/api.ts"
import { usePlace } from "./kit/location.ts"
import { forgetAnswers, toProblem } from "./kit/query.ts"
import { Layout } from "./parts/layout.tsx"
import { Empty, Failure } from "./parts/states.tsx"
import { SignIn } from "./sign-in.tsx"
import { isAllowed, type View } from "./view.ts"
import { VIEWS } from "./views/index.ts"

type State =
  | { readonly is: "starting" }
  | { readonly is: "signed-out"; readonly reason?: string }
  | { readonly is: "signed-in"; readonly session: Session }
  | { readonly is: "failed"; readonly problem: ApiProblem }

const EXPIRED = "Your session has ended. Sign in again; the page is still the same."

/** The dashboard: the sign-in page, or the view that the address names. */
export function App() {
  const [state, setState] = useState<State>({ is: "starting" })
  const start = (session: Session) => {
    startSession(session, () => end(EXPIRED))
    setState({ is: "signed-in", session })
  }
  const end = (reason?: string) => {
    forgetAnswers()
    setState({ is: "signed-out", reason })
  }
  const load = () => {
    setState({ is: "starting" })
    get<Session>("/session").then(start, (error) => {
      const problem = toProblem(error)
      if (problem.status === 401) end()
      else setState({ is: "failed", problem })
    })
  }
  useEffect(load, [])
  switch (state.is) {
    case "starting":
      return null
    case "failed":
      return (
        <main class="sign-in">
          <Failure problem={state.problem} retry={load} />
        </main>
      )
    case "signed-out":
      return <SignIn reason={state.reason} onSignedIn={start} />
    case "signed-in":
      return <Pages session={state.session} onSignOut={() => end()} />
  }
}

const NOT_FOUND: View = { name: "", title: "Not found", Page: NotFound }

function Pages({ session, onSignOut }: { readonly session: Session; readonly onSignOut: () => void }) {
  const place = usePlace()
  const found = VIEWS.find(({ name, role }) => name === place.view && isAllowed(session.role, role)) ?? NOT_FOUND
  const title = found.titleOf?.(place.params) ?? found.title
  useEffect(() => {
    document.title = `${title} · Majordomo`
  }, [title])
  return (
    <Layout views={VIEWS} view={found} title={title} session={session} onSignOut={onSignOut}>
      <found.Page session={session} />
    </Layout>
  )
}

function NotFound() {
  return (
    <Empty title="There is no such page">
      <a href="/dashboard/">Go to the overview</a>
    </Empty>
  )
}
