import { useState } from "preact/hooks"

export type Theme = "system" | "light" | "dark"

const NAME = "majordomo-theme"

function readTheme(): Theme {
  try {
    const stored = window.localStorage.getItem(NAME)
    return stored === "light" || stored === "dark" ? stored : "system"
  } catch {
    // A browser that stores nothing shows the theme of the system.
    return "system"
  }
}

/** Shows the theme that the reader chose before. */
export function applyTheme(theme = readTheme()): void {
  if (theme === "system") delete document.documentElement.dataset["theme"]
  else document.documentElement.dataset["theme"] = theme
}

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(readTheme)
  const choose = (next: Theme) => {
    setTheme(next)
    applyTheme(next)
    try {
      window.localStorage.setItem(NAME, next)
    } catch {
      // It then lasts as long as the page.
    }
  }
  return [theme, choose]
}
