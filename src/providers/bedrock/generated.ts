import { QuotedName } from "../../kit/json/quoted-name.ts"
import { TextCounter } from "../_text-counter.ts"

/** Text in the chunks of Converse, Nova and Cohere, of Llama, Titan, older Claude, and of those who imitate OpenAI. */
const TEXTS = ["text", "generation", "outputText", "completion", "content", "reasoning_content"].map(
  (name) => new QuotedName(name),
)
/** Arguments of tool calls, in Converse and as in OpenAI's API. */
const ARGUMENTS = ["input", "arguments"].map((name) => new QuotedName(name))
const NAME = new QuotedName("name")

/** Counts what the chunks of one stream generate. Those of Claude are counted by Anthropic's dialect. */
export class GeneratedCounter extends TextCounter {
  addChunk(data: Buffer): void {
    if (this.addText(data, TEXTS) > 0) return
    for (const name of ARGUMENTS) this.addArguments(data, name)
    this.addToolNames(data, NAME)
  }
}
