import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { acquireLock } from "../../src/kit/lock.ts"
import { claimSlot, recoverSlots } from "../../src/kit/slots.ts"

/** A root with these places, each with something left in it. */
function makeRoot(...places: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "mdm-places-"))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const place of places) {
    mkdirSync(join(root, place))
    writeFileSync(join(root, place, "left"), "")
  }
  return root
}

const isLeft = (names: readonly string[]) => names.includes("left")

test("each process has the first place that no other has", async () => {
  const root = makeRoot()
  const places = [await claimSlot(root), await claimSlot(root)]
  expect(places.map(({ dir }) => basename(dir))).toEqual(["1", "2"])
  await places[0]!.lock.release()
  const again = await claimSlot(root)
  expect(basename(again.dir)).toBe("1")
  for (const { lock } of [places[1]!, again]) await lock.release()
})

test("what is left in places that nobody has is adopted, one after the other; one that fails does not stop the others", async () => {
  const root = makeRoot("1", "2", "3", "4", "other")
  rmSync(join(root, "2", "left"))
  const held = await acquireLock(join(root, "3"))
  const errors: string[] = []
  const adopted: string[] = []
  const adopting = recoverSlots({
    root,
    isLeft,
    async open({ dir }) {
      adopted.push(basename(dir))
      if (adopted.length === 1) throw new Error("not this one")
      return { drain: async () => {}, close: async () => {} }
    },
    onError: ({ message }) => void errors.push(message),
  })
  await expect.poll(() => adopted).toEqual(["1", "4"])
  await adopting.close()
  expect(errors).toEqual(["not this one"])
  for (const place of ["1", "4"]) await (await acquireLock(join(root, place)))!.release()
  await held?.release()
})

test("nothing more is adopted once it is closed, and a lock that was let go is another's", async () => {
  const root = makeRoot("1", "2")
  const adopted: string[] = []
  const adopting = recoverSlots({
    root,
    isLeft,
    async open({ dir, lock }) {
      adopted.push(basename(dir))
      await lock.release()
      const next = await acquireLock(dir)
      await lock.release()
      expect(await acquireLock(dir)).toBeUndefined()
      await next?.release()
      void adopting.close()
      return { drain: () => expect.unreachable("it is closed"), close: async () => {} }
    },
    onError: (error) => expect.unreachable(error.message),
  })
  await expect.poll(() => adopted.length).toBe(1)
  await adopting.close()
  expect(adopted).toEqual(["1"])
})

test("what is being adopted is let go at once when it is closed", async () => {
  const root = makeRoot("1")
  let endDrain: (() => void) | undefined
  const adopting = recoverSlots({
    root,
    isLeft,
    open: async () => ({
      drain: () =>
        new Promise<void>((resolve) => {
          endDrain = resolve
        }),
      close: async () => endDrain?.(),
    }),
    onError: (error) => expect.unreachable(error.message),
  })
  await expect.poll(() => endDrain).toBeDefined()
  await adopting.close()
  await (await acquireLock(join(root, "1")))!.release()
})
