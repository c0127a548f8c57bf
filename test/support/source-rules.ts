import { dirname, join } from "node:path/posix"
import ts from "typescript"
import { parse } from "./_parse.ts"

/** One source file: its path below `src`, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** The largest number of lines that a function may span, its signature and closing brace included. */
export const MAX_FUNCTION_LINES = 70

/** Returns one line per function that spans more than `MAX_FUNCTION_LINES` lines. */
export function findLongFunctions({ path, text }: SourceFile): string[] {
  const source = parse(path, text)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (isFunctionWithBody(node)) {
      const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line
      const last = source.getLineAndCharacterOfPosition(node.end).line
      const lines = last - first + 1
      if (lines > MAX_FUNCTION_LINES) found.push(`${path}:${first + 1}: ${nameOf(node)} has ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/**
 * Returns each import cycle between files once, as a list of paths. Imports of types count as well: a cycle of types
 * means that two files cannot be understood one after the other.
 */
export function findCycles(files: readonly SourceFile[]): string[][] {
  const imports = new Map(files.map((file) => [file.path, listImports(file)]))
  return findComponents(imports).filter(
    (component) => component.length > 1 || imports.get(component[0]!)?.includes(component[0]!),
  )
}

/**
 * Returns the exports of `files` that no other file imports, as `path: name`.
 * @param users files outside `src` (tests, benchmarks, the build) whose imports count as uses; their paths are relative
 * to `src`, such as `../test/core/cost.test.ts`
 */
export function findDeadExports(files: readonly SourceFile[], users: readonly SourceFile[]): string[] {
  const used = new Set([...files, ...users].flatMap(listImportedNames))
  return files.flatMap(({ path, text }) =>
    listExportedNames(path, text)
      .filter((name) => !used.has(`${path}#${name}`) && !used.has(`${path}#*`))
      .map((name) => `${path}: ${name}`),
  )
}

function isFunctionWithBody(node: ts.Node): node is ts.FunctionLikeDeclaration {
  return ts.isFunctionLike(node) && "body" in node && node.body !== undefined
}

function nameOf(node: ts.FunctionLikeDeclaration): string {
  const own = node.name?.getText() ?? (ts.isConstructorDeclaration(node) ? "constructor" : undefined)
  const { parent } = node
  if (own !== undefined) return own
  return (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) && parent.name
    ? parent.name.getText()
    : "a function"
}

/** The paths of our own files that a file imports, in any form. */
function listImports({ path, text }: SourceFile): string[] {
  return [...new Set(listSpecifiers(path, text).map(({ specifier }) => resolvePath(path, specifier)))].filter(
    (target) => /\.tsx?$/.test(target),
  )
}

function listImportedNames({ path, text }: SourceFile): string[] {
  return listSpecifiers(path, text).flatMap(({ specifier, names }) =>
    names.map((name) => `${resolvePath(path, specifier)}#${name}`),
  )
}

interface ImportedNames {
  readonly specifier: string
  /** `*` stands for all names: a namespace, a dynamic import, `export *`. */
  readonly names: readonly string[]
}

function listSpecifiers(path: string, text: string): ImportedNames[] {
  const source = parse(path, text)
  const found: ImportedNames[] = []
  const visit = (node: ts.Node): void => {
    const one = toImportedNames(node)
    if (one?.specifier.startsWith(".")) found.push(one)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function toImportedNames(node: ts.Node): ImportedNames | undefined {
  if (ts.isImportDeclaration(node)) return { specifier: textOf(node.moduleSpecifier), names: namesOfImport(node) }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
    const clause = node.exportClause
    const names =
      clause && ts.isNamedExports(clause) ? clause.elements.map((e) => (e.propertyName ?? e.name).text) : ["*"]
    return { specifier: textOf(node.moduleSpecifier), names }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: textOf(node.argument.literal), names: [node.qualifier?.getText().split(".")[0] ?? "*"] }
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { specifier: textOf(node.arguments[0]), names: ["*"] }
  }
  // A worker starts from a file: new URL("./worker.ts", import.meta.url).
  if (ts.isNewExpression(node) && node.expression.getText() === "URL") {
    return { specifier: textOf(node.arguments?.[0]), names: ["*"] }
  }
  return undefined
}

function namesOfImport({ importClause }: ts.ImportDeclaration): string[] {
  const bindings = importClause?.namedBindings
  const names = importClause?.name ? ["default"] : []
  if (bindings && ts.isNamespaceImport(bindings)) names.push("*")
  if (bindings && ts.isNamedImports(bindings)) {
    for (const element of bindings.elements) names.push((element.propertyName ?? element.name).text)
  }
  return names
}

function listExportedNames(path: string, text: string): string[] {
  const source = parse(path, text)
  return source.statements.flatMap((statement): string[] => {
    if (ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)) {
      return statement.exportClause.elements.map((element) => element.name.text)
    }
    const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : []
    if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return []
    if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)) return ["default"]
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.map(({ name }) => name.getText())
    }
    return "name" in statement && statement.name ? [(statement.name as ts.Identifier).text] : []
  })
}

/** Resolves an import to a path below `src`; a path elsewhere begins with `../`. */
function resolvePath(path: string, specifier: string): string {
  return join(dirname(path), specifier).replace(/^\.\.\/src\//, "")
}

function textOf(node: ts.Node | undefined): string {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : ""
}

/** Tarjan's algorithm: the strongly connected components of a graph. */
function findComponents(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const components: string[][] = []
  const visit = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.get(node)!)
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!graph.has(next)) continue
      if (!index.has(next)) visit(next)
      else if (!stack.includes(next)) continue
      low.set(node, Math.min(low.get(node)!, low.get(next)!))
    }
    if (low.get(node) !== index.get(node)) return
    components.push(stack.splice(stack.indexOf(node)).sort())
  }
  for (const node of graph.keys()) if (!index.has(node)) visit(node)
  return components
}
