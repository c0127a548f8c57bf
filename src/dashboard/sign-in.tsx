import type { RefObject } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { change, get, type Session } from "./kit/api.ts"
import { toProblem } from "./kit/query.ts"

interface SignInProps {
  /** Why the reader has to sign in (again). */
  readonly reason?: string | undefined
  readonly onSignedIn: (session: Session) => void
}

/** Signs in with a token, with the code of a link, or at the company's identity provider. */
export function SignIn({ reason, onSignedIn }: SignInProps) {
  const [problem, setProblem] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const [hasOidc, setOidc] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const signIn = async (proof: { readonly token: string } | { readonly code: string }) => {
    setBusy(true)
    setProblem(undefined)
    try {
      onSignedIn(await change<Session>("POST", "/sessions", proof))
    } catch (error) {
      setProblem(toProblem(error).message)
      setBusy(false)
      field.current?.focus()
    }
  }
  useEffect(() => {
    document.title = "Sign in · Majordomo"
    const code = takeCode()
    if (code !== undefined) void signIn({ code })
    get<{ oidc: boolean }>("/sign-in").then(
      ({ oidc }) => setOidc(oidc),
      () => {},
    )
  }, [])
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    void signIn({ token: field.current!.value.trim() })
  }
  return (
    <main class="sign-in">
      <img src="/dashboard/icon.svg" alt="" width="40" height="40" />
      <h1>Sign in to Majordomo</h1>
      {reason && <p class="sign-in-reason">{reason}</p>}
      <form onSubmit={submit}>
        <TokenField field={field} />
        <p id="sign-in-problem" class="form-problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="button primary wide" disabled={isBusy}>
          Sign in
        </button>
      </form>
      {hasOidc && (
        <a class="button wide" href="/api/v1/oidc/start">
          Sign in with your company account
        </a>
      )}
      <Help />
    </main>
  )
}

function TokenField({ field }: { readonly field: RefObject<HTMLInputElement | null> }) {
  return (
    <>
      {/* Password managers store a token with a name. */}
      <input
        class="hidden"
        type="text"
        name="username"
        autocomplete="username"
        value="admin token"
        tabIndex={-1}
        aria-hidden="true"
        readOnly
      />
      <label class="field">
        <span>Admin token</span>
        <input
          ref={field}
          type="password"
          name="password"
          required
          placeholder="mdm_admin_…"
          autocomplete="current-password"
          spellcheck={false}
          aria-describedby="sign-in-problem"
        />
      </label>
    </>
  )
}

function Help() {
  return (
    <p class="sign-in-help">
      On the gateway's machine, <code>majordomo-gateway dashboard</code> prints a link that signs you in, and{" "}
      <code>majordomo-gateway tokens create</code> makes a token.
    </p>
  )
}

/** Returns the code of a sign-in link, and removes it from the address, so that it is in no history. */
function takeCode(): string | undefined {
  const code = new URLSearchParams(window.location.hash.slice(1)).get("code")
  if (code === null) return undefined
  window.history.replaceState(null, "", window.location.pathname + window.location.search)
  return code
}
