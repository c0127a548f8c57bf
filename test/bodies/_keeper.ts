import { openBodyStore } from "../../src/bodies/index.ts"
import { answerHead, CALLER, makeCall, makeOptions } from "./_bodies.ts"

/*
 * A process that tests kill: it keeps `count` bodies of `bytes` bytes each in `dir`, prints the key of each as soon as its
 * row could be written, then `done`, and does not end by itself.
 */
const [dir = "", endpoint = "", count = "", bytes = "", uploader] = process.argv.slice(2)
const { options } = makeOptions({
  dir,
  endpoint,
  workerUrl: uploader ? new URL(uploader) : null,
})
const store = await openBodyStore({ ...options, log: () => {} })
for (let i = 0; i < Number(count); i++) {
  const capture = store.open(makeCall(), CALLER)!
  capture.push(Buffer.from(JSON.stringify("x".repeat(Number(bytes)))))
  process.stdout.write(`${capture.finish(answerHead("application/json")).s3_key}\n`)
}
process.stdout.write("done\n")
setInterval(() => {}, 1000)
