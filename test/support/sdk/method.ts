/** One request that a method of an official SDK sends. */
export interface SdkMethod {
  readonly sdk: "openai" | "@anthropic-ai/sdk" | "@google/genai" | "@aws-sdk/client-bedrock-runtime"
  /** The method as a program calls it, such as `chat.completions.create`. */
  readonly name: string
  readonly verb: string
  /** The path without its query. An identifier is its name in braces, such as `/v1/files/{fileID}`. */
  readonly path: string
}
