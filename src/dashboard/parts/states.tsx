import type { ComponentChildren } from "preact"
import type { ApiProblem } from "../kit/api.ts"

/** What stands where there is nothing to show: why, and what to do. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <div class="empty-text">{children}</div>}
    </div>
  )
}

/** A failed call, with what the API said about it. */
export function Failure({ problem, retry }: { readonly problem: ApiProblem; readonly retry?: () => void }) {
  return (
    <div class="empty failure" role="alert">
      <p class="empty-title">{toTitle(problem)}</p>
      <div class="empty-text">
        <p>{problem.message}</p>
        {retry && (
          <button type="button" class="button" onClick={retry}>
            Try again
          </button>
        )}
      </div>
    </div>
  )
}

function toTitle({ status, code }: ApiProblem): string {
  if (code === "database_unavailable") return "The database does not answer"
  if (status === 0) return "No answer"
  if (status === 403) return "Your role may not see this"
  if (status === 404) return "Not found"
  return status === 400 ? "The address of this page is not valid" : "This could not be loaded"
}

/** Reserves the space of `lines` lines while an answer is awaited, so that nothing moves when it comes. */
export function Skeleton({ lines = 1 }: { readonly lines?: number }) {
  return (
    <div class="skeleton" aria-hidden="true">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} class="skeleton-line" />
      ))}
    </div>
  )
}
