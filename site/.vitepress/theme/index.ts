// The default theme without its web fonts: a page loads faster, and no font has to be kept up to date.
import Theme from "vitepress/theme-without-fonts"
import "./style.css"

export default Theme
