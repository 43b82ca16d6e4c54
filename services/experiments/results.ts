import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import type { Cell } from './cells.ts'

const numbers = z.array(z.number())
const otherText = z.object({
  share: z.number(),
  step: z.number().nullable(),
  loss: z.number().nullable(),
  heldAgainst: z.number().nullable(),
})
const schema = z.object({
  reference: z.string(),
  budget: z.number(),
  strategy: z.string(),
  seed: z.number(),
  steps: z.number(),
  curve: z
    .array(z.object({ step: z.number(), tokens: z.number(), referenceLoss: z.number(), otherLoss: z.number() }))
    .min(1),
  flops: z.record(z.string(), z.number()),
  rounds: z.array(
    z.object({
      round: z.number(),
      theta: numbers,
      weights: z.array(numbers),
      documents: z.number(),
      tokens: z.number(),
      selectionDigest: z.string(),
      otherText: otherText.optional(),
    }),
  ),
  /** Wall-clock; everything else is the same to the bit whenever the cell is trained. */
  seconds: z.number(),
})

/** A finished cell. `flops` by purpose of the ledger, with the labels that it needs. */
export type CellResult = z.output<typeof schema>

/**
 * The results of an experiment: a file for each finished cell, named by the digest of what it depends on. A kill leaves whole files only. A plan that
 * is changed keeps what it still has in common with before.
 */
export class Results {
  readonly #folder: string

  /** @param out the folder of the experiment */
  constructor(out: string) {
    this.#folder = join(out, 'cells')
    makeFolder(this.#folder)
    // Of a write that was interrupted.
    for (const name of readdirSync(this.#folder)) if (name.endsWith('.new')) rmSync(join(this.#folder, name))
  }

  #file(digest: string): string {
    return join(this.#folder, `${digest}.json`)
  }

  has(digest: string): boolean {
    return existsSync(this.#file(digest))
  }

  /** The losses of a finished cell. */
  curve(digest: string): CellResult['curve'] {
    return this.of({ digest, reference: '', budget: 0, strategy: '', seed: 0 })?.curve ?? []
  }

  /** @throws WinnowError BAD_DATA naming the file if it is not what `add` wrote */
  of({
    digest,
    reference,
    budget,
    strategy,
    seed,
  }: Pick<Cell, 'digest' | 'reference' | 'budget' | 'strategy' | 'seed'>): CellResult | undefined {
    if (!this.has(digest)) return undefined
    const file = this.#file(digest)
    try {
      // Two strategies may be the same run under two names.
      return { ...schema.parse(JSON.parse(readFileSync(file, 'utf8'))), reference, budget, strategy, seed }
    } catch (cause) {
      throw new WinnowError('BAD_DATA', `${file} is no result of a cell`, {
        hint: `Remove it (rm ${file}): the cell is trained again.`,
        cause,
      })
    }
  }

  add(digest: string, result: CellResult): void {
    const file = this.#file(digest)
    writeFileSync(`${file}.new`, `${JSON.stringify(result)}\n`)
    renameSync(`${file}.new`, file)
  }
}
