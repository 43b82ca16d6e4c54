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
  /** Writes this machine's outputs next to the model. */
  readonly write?: boolean
  /** Writes this machine's outputs to this file. */
  readonly out?: string
  readonly tolerance?: number
}

export interface GoldenReport {
  readonly actor: string
  readonly version: string
  readonly machine: Machine
  /** The file written. */
  readonly written?: string
  readonly golden: GoldenCheck
}

/**
 * Compares a model's outputs on this machine with the golden ones next to it, or writes them.
 * @throws WinnowError CONFIGURATION for a labeler whose outputs do not depend on the machine; BAD_DATA if an output is not finite
 */
export async function goldenCommand(options: GoldenOptions): Promise<GoldenReport> {
  const { actor, labeler: given, baseFolder, write, out, tolerance } = options
  // Differences are reported here, not refused.
  const labeler = 'model' in given ? { ...given, golden: 'warn' as const } : given
  const made = await openLabeler({ actor, labeler, baseFolder })
  try {
    const { model, version } = made
    if (model === undefined)
      throw new WinnowError('CONFIGURATION', `the labeler of actor ${actor.name} has no model`, {
        hint: 'Only hashed, onnx and perplexity labelers have golden outputs; the others give the same labels on every machine.',
      })
    const file = out ?? (write === true ? model.goldenFile : undefined)
    if (file !== undefined) writeGolden(file, await model.makeGolden(tolerance))
    const { machine, golden } = model
    return { actor: actor.name, version, machine, ...(file !== undefined && { written: file }), golden }
  } finally {
    await made.close()
  }
}

/** How far two files of golden outputs are apart; undefined if they are other files. @throws WinnowError BAD_DATA */
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
    // The reader of labels reports what is wrong with the file.
    return ''
  }
}
