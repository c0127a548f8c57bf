import { render } from "preact"
import { App } from "./app.tsx"
import { handleClick } from "./kit/location.ts"
import { applyTheme } from "./kit/theme.ts"
import { showInvisible } from "./kit/visible.ts"

applyTheme()
showInvisible()
document.addEventListener("click", handleClick)
render(<App />, document.getElementById("app")!)
