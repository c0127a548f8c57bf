import { readYaml } from "../../config/file.ts"
import { CommandError } from "../../core/errors.ts"
import { translateConfig } from "../../imports/litellm-config/translate.ts"
import { isRecord } from "../../kit/json/is-record.ts"

/**
 * Reads a `config.yaml` of LiteLLM and returns the text of a `majordomo.yaml`, without any secret of it.
 *
 * @throws CommandError if the file cannot be read, or is no configuration
 */
export async function translateLitellmConfig(path: string): Promise<string> {
  const content = await readYaml(path)
  if (isRecord(content)) return translateConfig(content)
  throw new CommandError(`${path}: expected the settings of LiteLLM, such as model_list`)
}
