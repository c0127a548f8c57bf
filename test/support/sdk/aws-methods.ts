import type { SdkMethod } from "./method.ts"

/** One operation in the schemas of an AWS SDK: its HTTP binding, and the name of its request. */
const OPERATION = /\["(GET|POST|PUT|DELETE)", "([^"]+)", \d+\] \}, \(\) => (\w+)Request\$/g

/** Returns the commands of `@aws-sdk/client-bedrock-runtime` from the text of its schemas. */
export function listAwsMethods(schemas: string): SdkMethod[] {
  return Array.from(schemas.matchAll(OPERATION), ([, verb = "", path = "", name = ""]) => {
    return { sdk: "@aws-sdk/client-bedrock-runtime", name: `${name}Command`, verb, path }
  })
}
