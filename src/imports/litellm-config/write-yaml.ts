/** A map of texts and maps. */
export interface YamlMap {
  readonly [name: string]: string | YamlMap
}

/** A text that means the same with and without quotes. */
const PLAIN = /^(?!(?:true|false|yes|no|on|off|null|y|n)$)[A-Za-z][A-Za-z0-9_./-]*$/i
const NUMBER = /^\d+(?:\.\d+)?$/

/** Writes a map as YAML. JSON's texts are texts of YAML too. */
export function writeYaml(map: YamlMap, indent = ""): string {
  return Object.entries(map)
    .map(([name, value]) => {
      const key = `${indent}${PLAIN.test(name) ? name : JSON.stringify(name)}:`
      if (typeof value !== "string") return `${key}\n${writeYaml(value, `${indent}  `)}`
      return `${key} ${PLAIN.test(value) || NUMBER.test(value) ? value : JSON.stringify(value)}`
    })
    .join("\n")
}
