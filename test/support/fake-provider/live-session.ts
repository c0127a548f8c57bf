import { countTokens, promptText } from "./_shape.ts"
import { soundPieces } from "./realtime-session.ts"
import type { SessionApi, SessionPort } from "./sockets.ts"

type Json = Readonly<Record<string, unknown>>

const TOKENS_PER_SECOND = 25
/** Sound of the user has 16-bit samples at 16 kHz. */
const INPUT_BYTES_PER_SECOND = 32_000

/**
 * A session of Gemini's Live API, which sends JSON in binary frames. It counts as Google does: sound at 25 tokens per
 * second, text at one token per four characters, and the whole conversation as the prompt of each turn.
 */
export function createLiveSession(port: SessionPort): SessionApi {
  let text = 0
  let audio = 0
  let isText = false

  async function answer(): Promise<void> {
    const { script } = port
    const spoken = script.text ?? "The fake provider heard you."
    const seconds = isText ? 0 : (script.soundSeconds ?? 0.5)
    const said = isText ? countTokens(spoken) : Math.ceil(seconds * TOKENS_PER_SECOND)
    const counts = toUsage({ text, audio, said, modality: isText ? "TEXT" : "AUDIO" })
    const usageMetadata = script.usage === false ? undefined : (script.usage ?? counts)
    const parts = isText
      ? [{ text: spoken }]
      : soundPieces(seconds).map((data) => ({ inlineData: { mimeType: "audio/pcm;rate=24000", data } }))
    if (isText) text += said
    else audio += said
    await port.answer(
      [
        ...parts.map((part) => ({ serverContent: { modelTurn: { parts: [part] } } })),
        ...(isText ? [] : [{ serverContent: { outputTranscription: { text: spoken } } }]),
        { serverContent: { generationComplete: true } },
        { serverContent: { turnComplete: true }, ...(usageMetadata && { usageMetadata }) },
      ],
      true,
    )
  }

  return {
    async onMessage(message) {
      const fields = message as Readonly<Record<string, Json | undefined>>
      const { setup } = fields
      // The client for Python writes these names in snake case.
      const clientContent = fields["clientContent"] ?? fields["client_content"]
      const realtimeInput = fields["realtimeInput"] ?? fields["realtime_input"]
      const toolResponse = fields["toolResponse"] ?? fields["tool_response"]
      if (setup) {
        const config = (setup["generationConfig"] ?? {}) as Json
        isText = Array.isArray(config["responseModalities"]) && config["responseModalities"].includes("TEXT")
        text += countTokens(promptText(setup["systemInstruction"]))
        port.send({ setupComplete: {} }, true)
      }
      if (clientContent) {
        text += countTokens(promptText(clientContent))
        if ((clientContent["turnComplete"] ?? clientContent["turn_complete"]) === true) await answer()
      }
      if (toolResponse) await answer()
      if (realtimeInput) {
        const sound = realtimeInput["audio"] as { readonly data: string } | undefined
        if (sound)
          audio += Math.ceil((Buffer.from(sound.data, "base64").length / INPUT_BYTES_PER_SECOND) * TOKENS_PER_SECOND)
        if (realtimeInput["text"] !== undefined) text += countTokens(String(realtimeInput["text"]))
        // The end of the user's sound stands for the silence that the model hears.
        if (realtimeInput["text"] !== undefined || realtimeInput["audioStreamEnd"] === true) await answer()
      }
    },
  }
}

function toUsage(of: {
  readonly text: number
  readonly audio: number
  readonly said: number
  readonly modality: string
}) {
  const { text, audio, said, modality } = of
  return {
    promptTokenCount: text + audio,
    responseTokenCount: said,
    totalTokenCount: text + audio + said,
    promptTokensDetails: [
      { modality: "TEXT", tokenCount: text },
      ...(audio > 0 ? [{ modality: "AUDIO", tokenCount: audio }] : []),
    ],
    responseTokensDetails: [{ modality, tokenCount: said }],
  }
}
