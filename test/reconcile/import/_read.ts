import type { Bill, BillLine } from "../../../src/core/reconciliation.ts"
import { type BillFileOptions, readBillFile } from "../../../src/reconcile/import/index.ts"

export const NOW = Date.parse("2026-11-29T03:00:00Z")

/** Reads a file that arrives in pieces of so many bytes. */
export function readBytes(bytes: Uint8Array, options: BillFileOptions, size = bytes.length || 1): Promise<Bill> {
  return readBillFile(cut(bytes, size), { now: () => NOW, ...options })
}

export function readText(text: string, options: BillFileOptions): Promise<Bill> {
  return readBytes(new TextEncoder().encode(text), options)
}

/** Joins lines to a file. */
export function csv(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("")
}

/** The fields of a line that have a value, for short expectations. */
export function brief(bill: Bill): Partial<BillLine>[] {
  return bill.lines.map((line) => Object.fromEntries(Object.entries(line).filter(([, value]) => value !== undefined)))
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
