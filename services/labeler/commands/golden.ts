import { readFileSync } from 'node:fs'
import { WinnowError } from '../../runtime/errors.ts'
import {
  compareGolden,
  type GoldenCheck,
  type GoldenComparison,
  isGolden,
  readGolden,
  writeGolden,
} from '../golden/golden.ts'
import type { Machine } from '../golden/machine.ts'
import { type LabelerChoice, openLabeler } from './choice.ts'

export interface GoldenOptions extends LabelerChoice {
  /** Writes this machine's outputs beside the model. */
  readonly write?: boolean
  /** Writes this machine's outputs to this file. */
  readonly out?: string
  readonly tolerance?: number
}

export interface GoldenReport {
  readonly actor: string
  readonly version: string
  readonly machine: Machine
  /** The file that was written. */
  readonly written?: string
  readonly golden: GoldenCheck
}

/**
 * Compares a model's outputs on this machine with the golden ones beside it, or writes them.
 * @throws WinnowError CONFIGURATION for a labeler whose outputs depend on no machine; BAD_DATA where an output is not finite
 */
export async function goldenCommand(options: GoldenOptions): Promise<GoldenReport> {
  const { actor, labeler: given, baseFolder, write, out, tolerance } = options
  // What differs is reported here, not refused.
  const labeler = 'model' in given ? { ...given, golden: 'warn' as const } : given
  const made = await openLabeler({ actor, labeler, baseFolder })
  try {
    const { model, version } = made
    if (model === undefined)
      throw new WinnowError('CONFIGURATION', `the labeler of actor ${actor.name} has no model`, {
        hint: 'Golden outputs are of hashed and onnx labelers; the others give the same labels on every machine.',
      })
    const file = out ?? (write === true ? model.goldenFile : undefined)
    if (file !== undefined) writeGolden(file, await model.makeGolden(tolerance))
    const { machine, golden } = model
    return { actor: actor.name, version, machine, ...(file !== undefined && { written: file }), golden }
  } finally {
    await made.close()
  }
}

/** Of two files of golden outputs how far they are apart; undefined where they are other files. @throws WinnowError BAD_DATA */
export function compareGoldenFiles(first: string, second: string): GoldenComparison | undefined {
  const golden = [first, second].filter((file) => isGolden(startOf(file)))
  if (golden.length === 0) return undefined
  if (golden.length === 1)
    throw new WinnowError('BAD_DATA', `of ${first} and ${second} only ${golden[0]} has golden outputs`, {
      hint: 'Compare two files of golden outputs, or two of labels.',
    })
  return compareGolden(readGolden(first), readGolden(second))
}

function startOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(0, 200)
  } catch {
    // Who reads the labels says what is wrong with the file.
    return ''
  }
}
