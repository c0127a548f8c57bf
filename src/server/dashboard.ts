import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { createTable } from "../core/table.ts"

interface File {
  readonly body: Buffer
  /** The same, compressed by brotli, if the build made it. */
  readonly compressed: Buffer | undefined
  readonly type: string
  readonly etag: string
  /** Its name contains a hash of its content, so that it never changes. */
  readonly isImmutable: boolean
}

const TYPES: Readonly<Record<string, string>> = createTable({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
})

/** The pages may load nothing from elsewhere, run no code in the page itself, and stand in no frame. */
const SECURITY_HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
}

const BASE = "/dashboard/"
const NOT_BUILT = "This installation has no dashboard: build it with npm run build.\n"

/** Creates the handler of all requests for the dashboard's pages. The files are read when the first one comes. */
export function createDashboard(directory = findDashboard()): (request: Request) => Response {
  let files: ReadonlyMap<string, File> | undefined
  return (request) => {
    files ??= readFiles(directory)
    const { pathname } = new URL(request.url)
    if (pathname === "/dashboard") return new Response(null, { status: 308, headers: { Location: BASE } })
    // The views have paths of their own, and all of them are one page.
    const name = pathname.slice(BASE.length)
    const file = files.get(name) ?? (extname(name) === "" ? files.get("index.html") : undefined)
    if (file !== undefined) return toResponse(request, file)
    const text = files.size === 0 ? NOT_BUILT : "There is no such file.\n"
    return new Response(text, { status: 404, headers: { ...SECURITY_HEADERS, "Content-Type": "text/plain" } })
  }
}

function toResponse({ headers, method }: Request, file: File): Response {
  const isCompressed = file.compressed !== undefined && /\bbr\b/.test(headers.get("accept-encoding") ?? "")
  const head = {
    ...SECURITY_HEADERS,
    "Content-Type": file.type,
    "Cache-Control": file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: file.etag,
    Vary: "Accept-Encoding",
    ...(isCompressed && { "Content-Encoding": "br" }),
  }
  if (headers.get("if-none-match") === file.etag) return new Response(null, { status: 304, headers: head })
  const body = isCompressed ? file.compressed! : file.body
  return new Response(method === "HEAD" ? null : new Uint8Array(body), { headers: head })
}

function readFiles(directory: string): ReadonlyMap<string, File> {
  if (!existsSync(directory)) return new Map()
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter(
    (name) => !/\.(br|gz|map)$/.test(name) && statSync(join(directory, name)).isFile(),
  )
  return new Map(names.map((name) => [name.replaceAll("\\", "/"), readFile(join(directory, name))]))
}

function readFile(path: string): File {
  const body = readFileSync(path)
  return {
    body,
    compressed: existsSync(`${path}.br`) ? readFileSync(`${path}.br`) : undefined,
    type: TYPES[extname(path)] ?? "application/octet-stream",
    etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`,
    isImmutable: /[\\/]assets[\\/]/.test(path),
  }
}

/** Finds the built pages: `dist/dashboard` of this package, from `dist` as well as from `src`. */
function findDashboard(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, "package.json")) && dirname(directory) !== directory)
    directory = dirname(directory)
  return join(directory, "dist", "dashboard")
}
