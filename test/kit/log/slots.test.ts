import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { acquireLock } from "../../../src/kit/lock.ts"
import { claimSlot, recoverSlots } from "../../../src/kit/log/slots.ts"

/** Creates a root with these slots, each with something to recover in it. */
function makeRoot(...slots: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "mdm-slots-"))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const slot of slots) {
    mkdirSync(join(root, slot))
    writeFileSync(join(root, slot, "left"), "")
  }
  return root
}

const isOrphaned = (names: readonly string[]) => names.includes("left")

test("each process claims the first slot that no other process owns", async () => {
  const root = makeRoot()
  const slots = [await claimSlot(root), await claimSlot(root)]
  expect(slots.map(({ dir }) => basename(dir))).toEqual(["1", "2"])
  await slots[0]!.lock.release()
  const again = await claimSlot(root)
  expect(basename(again.dir)).toBe("1")
  for (const { lock } of [slots[1]!, again]) await lock.release()
})

test("abandoned slots are recovered one after the other; one that fails does not stop the others", async () => {
  const root = makeRoot("1", "2", "3", "4", "other")
  rmSync(join(root, "2", "left"))
  const held = await acquireLock(join(root, "3"))
  const errors: string[] = []
  const recovered: string[] = []
  const recovery = recoverSlots({
    root,
    isOrphaned,
    async open({ dir }) {
      recovered.push(basename(dir))
      if (recovered.length === 1) throw new Error("not this one")
      return { drain: async () => {}, close: async () => {} }
    },
    onError: ({ message }) => void errors.push(message),
  })
  await expect.poll(() => recovered).toEqual(["1", "4"])
  await recovery.close()
  expect(errors).toEqual(["not this one"])
  for (const slot of ["1", "4"]) await (await acquireLock(join(root, slot)))!.release()
  await held?.release()
})

test("nothing more is recovered after it is closed, and a lock that was released belongs to another", async () => {
  const root = makeRoot("1", "2")
  const recovered: string[] = []
  const recovery = recoverSlots({
    root,
    isOrphaned,
    async open({ dir, lock }) {
      recovered.push(basename(dir))
      await lock.release()
      const next = await acquireLock(dir)
      await lock.release()
      expect(await acquireLock(dir)).toBeUndefined()
      await next?.release()
      void recovery.close()
      return { drain: () => expect.unreachable("it is closed"), close: async () => {} }
    },
    onError: (error) => expect.unreachable(error.message),
  })
  await expect.poll(() => recovered.length).toBe(1)
  await recovery.close()
  expect(recovered).toEqual(["1"])
})

test("closing ends a recovery that is running", async () => {
  const root = makeRoot("1")
  let endDrain: (() => void) | undefined
  const recovery = recoverSlots({
    root,
    isOrphaned,
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
  await recovery.close()
  await (await acquireLock(join(root, "1")))!.release()
})
