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
    const code = takeFromAddress("code")
    if (code !== undefined) void signIn({ code })
    const failure = takeFromAddress("oidc")
    if (failure !== undefined) setProblem(OIDC_FAILURES[failure] ?? "Signing in with your company account has failed.")
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

/** Why a sign-in at the identity provider failed, by the code with which the gateway redirects to this page. */
const OIDC_FAILURES: Readonly<Record<string, string>> = {
  stale: "This sign-in took longer than 10 minutes, or began in another browser. Try again.",
  denied: "The identity provider has not signed you in.",
  provider:
    "The identity provider cannot be reached, or its answer is not valid. The audit log of the gateway has the details.",
  unverified: "The identity provider has not verified your e-mail address.",
  domain: "The domain of your e-mail address may not sign in here. An admin can add it to admin.oidc.allowed_domains.",
  role: "Your account has no role here. Ask an admin for one.",
  busy: "Too many attempts to sign in have failed. Try again in a minute.",
}

/** Returns a value of the address that works once or is shown once, and removes it, so that it is in no history. */
function takeFromAddress(name: "code" | "oidc"): string | undefined {
  const value = new URLSearchParams(window.location.hash.slice(1)).get(name)
  if (value === null) return undefined
  window.history.replaceState(null, "", window.location.pathname + window.location.search)
  return value
}
