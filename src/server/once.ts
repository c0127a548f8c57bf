/** Opens something when it is first needed. If that fails, the next caller tries again. */
export function once<T extends { close(): Promise<void> }>(open: () => Promise<T>) {
  let opened: Promise<T> | undefined
  return {
    get(): Promise<T> {
      opened ??= open().catch((error) => {
        opened = undefined
        throw error
      })
      return opened
    },
    async close(): Promise<void> {
      await (await opened?.catch(() => undefined))?.close()
    },
  }
}
