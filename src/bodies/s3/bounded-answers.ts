import { pipeline, Readable, Transform } from "node:stream"
import type { S3Client } from "@aws-sdk/client-s3"

/** The largest answer that is not an object: XML of a few hundred bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024
/** The largest object. All exchanges that are captured at the same time have 64 MiB together, before compression. */
const MAX_OBJECT_BYTES = 256 * 1024 * 1024

/** S3 answers with more than any answer of S3 has. */
class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge"
}

/** Makes the answers to a client bounded. The SDK holds a whole answer in memory, however long it is. */
export function boundAnswers(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const response = result.response as { statusCode: number; body: unknown }
        if (response.body instanceof Readable) {
          const isObject = commandName === "GetObjectCommand" && response.statusCode < 300
          response.body = limit(response.body, isObject ? MAX_OBJECT_BYTES : MAX_ANSWER_BYTES)
        }
        return result
      },
    // The low priority puts it before the step in which the SDK reads the answer.
    { name: "boundAnswers", step: "deserialize", priority: "low" },
  )
}

function limit(body: Readable, maxBytes: number): Readable {
  let left = maxBytes
  const limited = new Transform({
    transform(piece: Buffer, _encoding, done) {
      left -= piece.length
      done(left < 0 ? new AnswerTooLarge(`the answer is larger than ${maxBytes} bytes`) : null, piece)
    },
  })
  // Whoever reads it sees the error.
  pipeline(body, limited, () => {})
  return limited
}
