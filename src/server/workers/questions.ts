/** Questions to other processes that wait for their answers. */
interface Questions<Answer> {
  /** Sends a question under a new id. Resolves with the answer, or with `fallback` when none arrives in time. */
  ask(send: (id: number) => void, fallback: Answer): Promise<Answer>
  /** Passes on the answer to a question. Ignores an answer that arrives too late. */
  answer(id: number, answer: Answer): void
}

export function createQuestions<Answer>(timeoutMs: number): Questions<Answer> {
  const waiting = new Map<number, (answer: Answer) => void>()
  let nextId = 0
  return {
    ask(send, fallback) {
      const id = nextId++
      return new Promise((resolve) => {
        const settle = (answer: Answer) => {
          clearTimeout(timer)
          waiting.delete(id)
          resolve(answer)
        }
        const timer = setTimeout(settle, timeoutMs, fallback)
        waiting.set(id, settle)
        send(id)
      })
    },
    answer: (id, answer) => waiting.get(id)?.(answer),
  }
}
