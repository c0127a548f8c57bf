import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import { change, type Session } from "../kit/api.ts"
import { moveInRows, useKeys } from "../kit/keyboard.ts"
import { navigate } from "../kit/location.ts"
import { PERIODS } from "../kit/period.ts"
import { type Question, useQuestion, withParams } from "../kit/question.ts"
import { type Theme, useTheme } from "../kit/theme.ts"
import { isAllowed, type View } from "../view.ts"
import { Chips } from "./chips.tsx"
import { Finder, Palette } from "./finder.tsx"
import { Choice } from "./form.tsx"
import { KeysHelp } from "./keys-help.tsx"
import { PeriodBar } from "./period-bar.tsx"
import { Toasts } from "./toast.tsx"

interface LayoutProps {
  readonly views: readonly View[]
  readonly view: View
  readonly title: string
  readonly session: Session
  readonly onSignOut: () => void
  readonly children: ComponentChildren
}

const FILTER_FIELD = "filter"

/** Everything around a view: navigation, period, filters, keys and dialogs. */
export function Layout({ views, view, title, session, onSignOut, children }: LayoutProps) {
  const question = useQuestion()
  const [opened, setOpened] = useState<"palette" | "keys">()
  const shown = views.filter(({ role }) => isAllowed(session.role, role))
  const close = () => setOpened(undefined)
  useKeys({
    ...(view.isFiltered && toPeriodKeys(question)),
    ...Object.fromEntries(
      shown.flatMap(({ key, name }) => (key ? [[`g ${key}`, () => navigate(question.hrefOf(name))]] : [])),
    ),
    "/": () => document.getElementById(FILTER_FIELD)?.focus(),
    "?": () => setOpened("keys"),
    "mod+k": () => setOpened("palette"),
    j: () => moveInRows(1),
    k: () => moveInRows(-1),
  })
  const pages = shown.flatMap(({ group, title, name }) =>
    group === undefined ? [] : [{ kind: "Page", text: title, href: question.hrefOf(name) }],
  )
  return (
    <div class="layout">
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Navigation views={shown} view={view} question={question} />
      <div class="page">
        <header class="top">
          <Finder id={FILTER_FIELD} question={question} placeholder="Filter by model, key, user …" />
          <Account session={session} onKeys={() => setOpened("keys")} onSignOut={onSignOut} />
        </header>
        <main id="main" tabIndex={-1}>
          <div class="head">
            <h1>{title}</h1>
            {view.isFiltered && <PeriodBar question={question} canCompare={view.name === ""} />}
          </div>
          {view.isFiltered && <Chips question={question} />}
          {children}
        </main>
      </div>
      {opened === "palette" && <Palette question={question} more={pages} onClose={close} />}
      {opened === "keys" && <KeysHelp views={shown} onClose={close} />}
      <Toasts />
    </div>
  )
}

function toPeriodKeys({ params, href }: Question) {
  const go = (changes: Readonly<Record<string, string | undefined>>) => navigate(href(withParams(params, changes)))
  const isCompared = params.get("compare") !== "off"
  return {
    ...Object.fromEntries(
      PERIODS.flatMap(({ key, since }) => (key === undefined ? [] : [[key, () => go({ since, until: undefined })]])),
    ),
    x: () => go({ compare: isCompared ? "off" : undefined }),
  }
}

const GROUPS = ["Usage", "Manage", "System"] as const

function Navigation({ views, view, question }: { views: readonly View[]; view: View; question: Question }) {
  const isCurrent = (name: string) => name === view.name || name === view.parent
  const element = useRef<HTMLElement>(null)
  // On a narrow page the navigation is one line, which scrolls.
  useEffect(() => {
    element.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" })
  }, [view])
  return (
    <nav ref={element} class="nav" aria-label="Pages">
      <a class="brand" href={question.hrefOf("")} aria-label="Majordomo">
        <img src="/dashboard/icon.svg" alt="" width="22" height="22" />
        <span>Majordomo</span>
      </a>
      {GROUPS.map((group) => {
        const members = views.filter((one) => one.group === group)
        if (members.length === 0) return null
        return (
          <div key={group} class="nav-group">
            <h2>{group}</h2>
            <ul>
              {members.map(({ name, title }) => (
                <li key={name}>
                  <a href={question.hrefOf(name)} aria-current={isCurrent(name) ? "page" : undefined}>
                    {title}
                  </a>
                </li>
              ))}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}

const THEMES: readonly (readonly [Theme, string])[] = [
  ["system", "System theme"],
  ["light", "Light"],
  ["dark", "Dark"],
]

interface AccountProps {
  readonly session: Session
  readonly onKeys: () => void
  readonly onSignOut: () => void
}

function Account({ session, onKeys, onSignOut }: AccountProps) {
  const [theme, setTheme] = useTheme()
  const signOut = () => void change("DELETE", "/session").then(onSignOut, onSignOut)
  return (
    <div class="account">
      <button type="button" class="icon-button" title="Keys (?)" aria-label="Keys" onClick={onKeys}>
        ?
      </button>
      <Choice label="Theme" isBare value={theme} options={THEMES} onChange={(value) => setTheme(value as Theme)} />
      <span class="who" title={`${session.name}, ${session.role}`}>
        <bdi>{session.name}</bdi>
        <small>{session.role}</small>
      </span>
      <button type="button" class="button" onClick={signOut}>
        Sign out
      </button>
    </div>
  )
}
