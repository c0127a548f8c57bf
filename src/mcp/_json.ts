/** An object in the form of JSON: the input of a route, or an answer. */
export type Json = Readonly<Record<string, unknown>>
