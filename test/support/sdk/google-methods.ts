import type { SdkMethod } from "./method.ts"

/**
 * Returns the requests of Google's SDK, which are read in its compiled source: its methods convert their parameters
 * before they send them, so that calling each of them would need a valid parameter of every type.
 */
export function listGoogleMethods(source: string): SdkMethod[] {
  return [...classMethods(source), ...generatedMethods(source), ...DOWNLOADS]
}

/** The classes whose methods send requests, by the name that a program uses. */
const CLASSES: Readonly<Record<string, string>> = {
  Batches: "batches",
  Caches: "caches",
  Documents: "fileSearchStores.documents",
  FileSearchStores: "fileSearchStores",
  Files: "files",
  Models: "models",
  Operations: "operations",
  Tokens: "authTokens",
  Tunings: "tunings",
}

const VERTEX_PREFIX = "/v1beta1/projects/{project}/locations/{location}/"

/** What the placeholders of a path stand for: on the Gemini API, and on Vertex if that is different. */
const PLACES: readonly (readonly [path: RegExp, gemini: string, vertex?: string])[] = [
  [/^models (\{model\})$/, "models/{model}"],
  [/^\S+ (\{model\})/, "models/{model}", "publishers/google/models/{model}"],
  [/^models (\{models_url\})/, "models", "publishers/google/models"],
  [/^models (\{name\})/, "models/{model}"],
  [/^caches (\{name\})/, "cachedContents/{cache}"],
  [
    /^operations (\{operationName\})/,
    "models/{model}/operations/{id}",
    "publishers/google/models/{model}/operations/{id}",
  ],
  [/^operations (\{resourceName\})/, "publishers/google/models/{model}"],
  [/^tunings (\{name\})/, "tunedModels/{model}", "tuningJobs/{job}"],
  [/^tunings (\{parent\}\/)/, ""],
  [/^fileSearchStores\.documents (\{name\})/, "fileSearchStores/{store}/documents/{document}"],
  [/^fileSearchStores\.documents (\{parent\})/, "fileSearchStores/{store}"],
  [/^fileSearchStores (\{name\})/, "fileSearchStores/{store}"],
  [/(\{file_search_store_name\})/, "fileSearchStores/{store}"],
]

/** The path of a request, and the choice between two paths. */
const TEMPLATE = /formatMap\('([^']+)', body\['_url'\]\)|^ +[?:] '(\{model\}:[^']+)'/

/** Reads the classes: each method has a branch for Vertex and one for the Gemini API, with one request in each. */
function classMethods(source: string): SdkMethod[] {
  const methods: SdkMethod[] = []
  let owner: string | undefined
  let name = ""
  let isVertex = false
  let templates: string[] = []
  for (const line of source.split("\n")) {
    const opened = /^class (\w+)/.exec(line)?.[1]
    if (opened !== undefined) owner = CLASSES[opened]
    if (owner === undefined) continue
    name = /^ {4}async (\w+)\(/.exec(line)?.[1]?.replace(/Internal$/, "") ?? name
    if (/^ {8}if \(this\.apiClient\.isVertexAI\(\)\)/.test(line)) isVertex = true
    else if (/^ {8}else \{/.test(line)) isVertex = false
    const template = TEMPLATE.exec(line)
    if (template) templates.push(template[1] ?? template[2]!)
    const verb = /httpMethod: '(\w+)'/.exec(line)?.[1]
    if (verb === undefined) continue
    for (const each of templates) methods.push(toMethod(owner, name, verb, { template: each, isVertex }))
    templates = []
  }
  return methods
}

function toMethod(
  owner: string,
  name: string,
  verb: string,
  { template, isVertex }: { readonly template: string; readonly isVertex: boolean },
): SdkMethod {
  const [asked = ""] = template.split("?")
  const place = PLACES.find(([pattern]) => pattern.test(`${owner} ${asked}`))
  const [pattern, gemini = "", vertex = gemini] = place ?? []
  const found = pattern?.exec(`${owner} ${asked}`)?.[1]
  const path = found === undefined ? asked : asked.replace(found, isVertex ? vertex : gemini)
  const prefix = path.startsWith("upload/") ? "/" : isVertex ? VERTEX_PREFIX : "/v1beta/"
  return { sdk: "@google/genai", name: `${owner}.${name}${isVertex ? " (Vertex)" : ""}`, verb, path: prefix + path }
}

const GENERATED =
  /^function (agents|credentials|environments(?:Files|Internal)?|interactions|triggers|voices|webhooks)(\w+)\(client[\s\S]*?pathToFunc\("\/\{api_version\}\/([^"]+)"\)[\s\S]*?method: "(\w+)"|^function \w+\(client[\s\S]*?pathToFunc\("\/upload\/\{api_version\}\/([^"]+)"\)[\s\S]*?method: "(\w+)"/gm

/** Reads the part of the SDK that is generated, in which one function sends one request. */
function generatedMethods(source: string): SdkMethod[] {
  return Array.from(source.matchAll(GENERATED), ([, owner, name, path, verb, uploadPath, uploadVerb]) => ({
    sdk: "@google/genai",
    name:
      owner === undefined ? "environments.files.upload" : `${owner.replace("Files", ".files")}.${lowerFirst(name!)}`,
    verb: verb ?? uploadVerb!,
    path: path === undefined ? `/upload/v1beta/${uploadPath}` : `/v1beta/${path}`,
  }))
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** Downloads, whose paths are put together by hand in the SDK. */
const DOWNLOADS: readonly SdkMethod[] = [
  { sdk: "@google/genai", name: "files.download", verb: "GET", path: "/v1beta/files/{file}:download" },
  {
    sdk: "@google/genai",
    name: "fileSearchStores.downloadMedia",
    verb: "GET",
    path: "/v1beta/fileSearchStores/{store}/media/{media}",
  },
]
