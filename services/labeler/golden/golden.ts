import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import type { Machine } from './machine.ts'

/** Golden outputs of a model: its outputs for a few texts, on the machine that they were made on. */
const goldenFile = z.strictObject({
  format: z.literal('winnow-golden/1'),
  /** SHA-256 of the model's files: outputs of another model cannot be compared. */
  model: z.string(),
  made: z.strictObject({
    provider: z.enum(['cpu', 'cuda', 'javascript']),
    runtime: z.string(),
    instructions: z.string(),
  }),
  /** Largest output difference that counts as rounding. */
  tolerance: z.number().min(0),
  /** `outputs`: the logits, or the regression's value, of the text's first window, run as a batch of its own. */
  cases: z.array(z.strictObject({ text: z.string(), outputs: z.array(z.number()).min(1) })).min(1),
})
export type Golden = z.infer<typeof goldenFile>

const formatMark = /^\s*\{\s*"format"\s*:\s*"winnow-golden\//

export const isGolden = (text: string): boolean => formatMark.test(text)

/** @throws WinnowError BAD_DATA naming the file */
export function readGolden(file: string): Golden {
  const hint = "Write it again with 'winnow labeler golden --write'."
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${file}: cannot be read: ${(cause as Error).message}`, { hint, cause })
  }
  const parsed = goldenFile.safeParse(json)
  if (!parsed.success)
    throw new WinnowError('BAD_DATA', `${file}: no golden outputs: ${z.prettifyError(parsed.error)}`, { hint })
  return parsed.data
}

export function writeGolden(file: string, golden: Golden): void {
  writeFileSync(file, `${JSON.stringify(golden, null, 1)}\n`)
}

/** How far the outputs of two machines are apart, for the same model and texts. */
export interface GoldenComparison {
  readonly first: Machine
  readonly second: Machine
  readonly texts: number
  /** Of any output. */
  readonly differenceMax: number
  /** Of all outputs. */
  readonly differenceMean: number
  /** The text with the largest difference. */
  readonly furthest: string
  /** Texts for which another output is the largest; none for a regression. */
  readonly otherClass: number
  readonly tolerance: number
  readonly agrees: boolean
}

const classOf = (outputs: readonly number[]) => outputs.indexOf(Math.max(...outputs))

/** @throws WinnowError BAD_DATA if they are of different models or texts */
export function compareGolden(first: Golden, second: Golden): GoldenComparison {
  if (first.model !== second.model)
    throw new WinnowError('BAD_DATA', 'the golden outputs are of two models', {
      hint: `Compare those of one model on two machines; the digests of their files are ${first.model} and ${second.model}.`,
    })
  const outputs = new Map(second.cases.map((one) => [one.text, one.outputs]))
  let differenceMax = 0
  let sum = 0
  let count = 0
  let otherClass = 0
  let furthest = first.cases[0]!.text
  for (const one of first.cases) {
    const other = outputs.get(one.text)
    if (other?.length !== one.outputs.length)
      throw new WinnowError('BAD_DATA', 'the golden outputs are of different texts', {
        hint: "Write both with the same release: 'winnow labeler golden --out FILE'.",
      })
    if (classOf(one.outputs) !== classOf(other)) otherClass++
    for (const [i, output] of one.outputs.entries()) {
      const difference = Math.abs(output - other[i]!)
      sum += difference
      count++
      // A non-finite output agrees with nothing.
      if (difference <= differenceMax) continue
      differenceMax = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference
      furthest = one.text
    }
  }
  const { tolerance } = first
  const texts = first.cases.length
  const machines = { first: first.made, second: second.made, texts }
  const agrees = differenceMax <= tolerance
  return { ...machines, differenceMax, differenceMean: sum / count, furthest, otherClass, tolerance, agrees }
}

/** What a labeler found when it recomputed its model's golden outputs. `none`: there is no file of them. */
export type GoldenCheck =
  | { readonly state: 'none' }
  | { readonly state: 'agrees' | 'differs'; readonly file: string; readonly comparison: GoldenComparison }
  | { readonly state: 'other model'; readonly file: string }

/** Compares this machine's outputs with the file of golden outputs. @throws WinnowError BAD_DATA for a damaged file */
export async function checkGolden(
  file: string,
  model: string,
  outputsNow: (texts: string[]) => Promise<Golden>,
): Promise<GoldenCheck> {
  if (!existsSync(file)) return { state: 'none' }
  const golden = readGolden(file)
  if (golden.model !== model) return { state: 'other model', file }
  const comparison = compareGolden(golden, await outputsNow(golden.cases.map(({ text }) => text)))
  return { state: comparison.agrees ? 'agrees' : 'differs', file, comparison }
}

/** What is wrong, in a sentence; undefined if nothing is. */
export function goldenFault(check: GoldenCheck): string | undefined {
  if (check.state === 'other model') return `${check.file}: golden outputs of another model than the one next to it`
  if (check.state !== 'differs') return undefined
  const { file, comparison } = check
  const { differenceMax, tolerance, first, second } = comparison
  const on = (machine: Machine) => `${machine.provider}, ${machine.runtime}, ${machine.instructions}`
  return `${file}: this machine (${on(second)}) gives outputs that differ by up to ${differenceMax.toPrecision(3)} from those of ${on(first)}, where ${tolerance} is rounding`
}
