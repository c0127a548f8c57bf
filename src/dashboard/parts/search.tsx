import { navigate } from "../kit/location.ts"
import { useQuestion, withParams } from "../kit/question.ts"

/** A field that searches in a list of this page. The address has what is searched for, as `q`. */
export function Search({ label }: { readonly label: string }) {
  const { params, href } = useQuestion()
  const search = (text: string) =>
    navigate(href(withParams(params, { q: text === "" ? undefined : text })), { replace: true })
  return (
    <label class="search">
      <span class="hidden">{label}</span>
      <input
        type="search"
        placeholder={label}
        value={params.get("q") ?? ""}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => search(event.currentTarget.value)}
      />
    </label>
  )
}
