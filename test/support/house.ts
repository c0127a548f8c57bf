import ts from "typescript"
import { parse } from "./_parse.ts"

/** Which room may import which others. Imports go downwards only, and rooms of one level do not import each other. */
export const ROOMS = {
  index: ["cli", "core", "kit"],
  cli: ["mcp", "api", "operations", "server", "config", "core", "kit"],
  mcp: ["api", "core", "kit"],
  api: ["operations", "config", "core", "kit"],
  operations: [
    "providers",
    "reports",
    "reconcile",
    "archive",
    "imports",
    "database",
    "bodies",
    "vault",
    "notifications",
    "config",
    "pricing",
    "core",
    "kit",
  ],
  server: [
    "mcp",
    "api",
    "operations",
    "demo",
    "gateway",
    "providers",
    "pricing",
    "database",
    "bodies",
    "vault",
    "limits",
    "tokenizer",
    "notifications",
    "telemetry",
    "config",
    "core",
    "kit",
  ],
  gateway: ["providers", "core", "kit"],
  reports: ["core", "kit"],
  config: ["core", "kit"],
  providers: ["core", "kit"],
  pricing: ["core", "kit"],
  database: ["embedded", "core", "kit"],
  embedded: ["core", "kit"],
  bodies: ["core", "kit"],
  archive: ["core", "kit"],
  vault: ["core", "kit"],
  limits: ["core", "kit"],
  reconcile: ["core", "kit"],
  imports: ["core", "kit"],
  tokenizer: ["core", "kit"],
  notifications: ["core", "kit"],
  telemetry: ["core", "kit"],
  core: [],
  kit: [],
  demo: ["core", "kit"],
  // This room runs in other people's programs, so it imports nothing of ours, and nothing of ours imports it.
  client: [],
  // It runs in a browser, and knows the admin API only by its JSON.
  dashboard: [],
} as const satisfies Record<string, readonly string[]>

export type Room = keyof typeof ROOMS

/** The rooms that may import an npm package. A name that ends in `/` stands for its whole scope. */
export const DOORS: Readonly<Record<string, readonly Room[]>> = {
  citty: ["index", "cli"],
  consola: ["cli", "server"],
  c12: ["config"],
  h3: ["server"],
  listhen: ["server"],
  undici: ["kit"],
  ws: ["kit"],
  ofetch: ["pricing"],
  "@pydantic/genai-prices": ["pricing"],
  pg: ["database"],
  zod: ["api"],
  "@modelcontextprotocol/server": ["mcp"],
  "openid-client": ["operations"],
  preact: ["dashboard"],
  "@electric-sql/": ["embedded"],
  "gpt-tokenizer": ["tokenizer"],
  "@aws-sdk/": ["bodies"],
  hyparquet: ["archive"],
  "hyparquet-writer": ["archive"],
  "@bufbuild/protobuf": ["telemetry"],
  "@smithy/signature-v4": ["vault"],
  "@smithy/eventstream-codec": ["providers"],
  "@smithy/": ["bodies"],
  jose: ["vault"],
  nodemailer: ["notifications"],
}

/** Rooms of pure functions: the same input gives the same output, without side effects. */
const PURE: readonly Room[] = ["core", "providers", "reports", "limits"]
/** SHA-256 and randomness have no other source. */
const PURE_EXCEPT: Readonly<Record<string, readonly string[]>> = { "core/key.ts": ["node:crypto"] }
const IMPURE_GLOBALS = new Set([
  "process",
  "fetch",
  "performance",
  "console",
  "setTimeout",
  "setInterval",
  "setImmediate",
])

/** Returns one sentence for each rule that a file of `src` breaks, with what to do instead. */
export function findViolations(path: string, text: string): string[] {
  const source = parse(path, text)
  const room = toRoom(path)
  if (room === undefined) return [`${path}: no such room; put it into one of ${Object.keys(ROOMS).join(", ")}`]
  const at = (node: ts.Node) => `${path}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
  const found: string[] = []
  visit(source, (node) => {
    const specifier = importedBy(node)
    const problem = specifier === undefined ? useProblem(node, room) : importProblem(path, room, specifier)
    if (problem !== undefined) found.push(`${at(node)}: ${problem}`)
  })
  return found
}

/** Returns every package that a file imports, by any form of import. */
export function findPackages(path: string, text: string): string[] {
  const packages: string[] = []
  visit(parse(path, text), (node) => {
    const specifier = importedBy(node)
    if (specifier !== undefined && !specifier.startsWith(".") && !specifier.startsWith("node:")) {
      packages.push(toPackage(specifier))
    }
  })
  return packages
}

function toRoom(path: string): Room | undefined {
  const first = path === "index.ts" ? "index" : path.slice(0, Math.max(0, path.indexOf("/")))
  return first in ROOMS ? (first as Room) : undefined
}

function toPackage(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
}

/** Returns the specifier of a static, re-exporting, dynamic or type-only import, or of require. */
function importedBy(node: ts.Node): string | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return literal(node.moduleSpecifier)
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal) : undefined
  if (!ts.isCallExpression(node)) return undefined
  const { expression } = node
  const imports = expression.kind === ts.SyntaxKind.ImportKeyword
  const requires = ts.isIdentifier(expression) && expression.text === "require"
  const resolves = expression.getText() === "import.meta.resolve" || expression.getText() === "require.resolve"
  return imports || requires || resolves ? literal(node.arguments[0]) : undefined
}

function importProblem(path: string, room: Room, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return relativeProblem(path, room, specifier)
  if (specifier.startsWith("node:")) {
    if (!PURE.includes(room) || PURE_EXCEPT[path]?.includes(specifier)) return undefined
    return `${room} is pure and may not import ${specifier}; take what it gives as a parameter`
  }
  const doors = DOORS[specifier] ?? DOORS[toPackage(specifier)] ?? DOORS[`${specifier.split("/")[0]}/`]
  if (doors === undefined)
    return `${specifier} has no door; name its room in DOORS and in ARCHITECTURE.md, or do without`
  if (doors.includes(room)) return undefined
  return `${specifier} enters by ${doors.join(" and ")} only; ask that room for what you need`
}

function relativeProblem(path: string, room: Room, specifier: string): string | undefined {
  const target = new URL(specifier, `file:///src/${path}`).pathname
  if (!target.startsWith("/src/")) return specifier.endsWith(".json") ? undefined : `${specifier} lies outside of src`
  if (!/\.(?:tsx?|json)$/.test(specifier)) return `write the file's extension: ${specifier}.ts`
  const other = toRoom(target.slice("/src/".length))
  if (other === room || (other !== undefined && (ROOMS[room] as readonly string[]).includes(other))) return undefined
  const seen = ROOMS[room].length === 0 ? "nothing of ours" : ROOMS[room].join(", ")
  return `${room} may import ${seen}, not ${other ?? specifier}; pass it in from above, or move the shared part to core`
}

function useProblem(node: ts.Node, room: Room): string | undefined {
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length) {
    return PURE.includes(room) ? `${room} is pure and has no clock; take the time as a parameter` : undefined
  }
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) return memberProblem(node, room)
  if (PURE.includes(room) && ts.isIdentifier(node) && IMPURE_GLOBALS.has(node.text) && isGlobalUse(node)) {
    return `${room} is pure and may not use ${node.text}; take what it gives as a parameter`
  }
  return undefined
}

function memberProblem(node: ts.PropertyAccessExpression | ts.ElementAccessExpression, room: Room): string | undefined {
  const name = ts.isPropertyAccessExpression(node) ? node.name.text : (literal(node.argumentExpression) ?? "")
  const member = `${node.expression.getText().replace(/^globalThis\./, "")}.${name}`
  const cli = room === "cli" || room === "index"
  if (member.startsWith("console.") && !cli) return "only cli prints; return the text, or take a log function"
  if (member === "process.env" && room !== "config" && room !== "client")
    return "only config reads the environment; make it a setting"
  if (member === "process.stdout" && !cli) return "only cli prints to stdout; return the text"
  if (/^process\.(exit|exitCode|abort|reallyExit)$/.test(member) && !cli)
    return "only cli ends the process; throw instead"
  if (!PURE.includes(room)) return undefined
  if (member === "Date.now" || member === "Math.random") return `${room} is pure; take ${member}() as a parameter`
  return undefined
}

/** Returns whether a name is used as a global, and not as a property or a declaration: `{ process: … }`, `a.fetch`. */
function isGlobalUse(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent))
    return parent.expression === node || parent.expression.getText() === "globalThis"
  if (ts.isQualifiedName(parent) || ts.isTypeReferenceNode(parent)) return false
  if ("name" in parent && parent.name === node) return ts.isShorthandPropertyAssignment(parent)
  return !(ts.isBindingElement(parent) && parent.propertyName === node)
}

function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node)
  ts.forEachChild(node, (child) => visit(child, look))
}
