import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import { checkGolden, type Golden, type GoldenCheck, goldenFault } from './golden.ts'
import { type Machine, thisMachine } from './machine.ts'
import { goldenTexts } from './texts.ts'

export const goldenConfig = z
  .enum(['refuse', 'warn'])
  .default('refuse')
  .describe(
    'If outputs on this machine differ from the golden ones next to the model: refuse does not start, warn labels anyway',
  )

/** A labeler's model on this machine. */
export interface ModelHere {
  readonly machine: Machine
  /** The result of the check against golden outputs at the start. */
  readonly golden: GoldenCheck
  /** Where they are, or would be. */
  readonly goldenFile: string
  /** Computes golden outputs on this machine. @throws WinnowError BAD_DATA if an output is not finite */
  makeGolden(tolerance?: number): Promise<Golden>
}

export interface ModelToCheck {
  /** File of golden outputs. */
  readonly file: string
  /** Digest of the model's files. */
  readonly digest: string
  readonly provider: Machine['provider']
  /** Largest difference that counts as rounding. */
  readonly tolerance: number
  readonly policy: 'refuse' | 'warn'
  /** Raw outputs of each text, run as a batch of its own. */
  readonly outputsOf: (texts: string[]) => Promise<number[][]>
}

/** Recomputes the model's golden outputs. @throws WinnowError MODEL_UNUSABLE if they differ and `policy` is to refuse */
export async function modelHere(model: ModelToCheck): Promise<ModelHere> {
  const { file, digest, provider, tolerance, policy, outputsOf } = model
  const machine = thisMachine(provider)
  const outputsNow = async (texts: readonly string[], tolerance: number): Promise<Golden> => {
    const outputs = await outputsOf([...texts])
    const cases = texts.map((text, i) => ({ text, outputs: outputs[i]! }))
    return { format: 'winnow-golden/1', model: digest, made: machine, tolerance, cases }
  }
  const golden = await checkGolden(file, digest, (texts) => outputsNow(texts, tolerance))
  const fault = goldenFault(golden)
  if (fault !== undefined && policy === 'refuse') {
    throw new WinnowError('MODEL_UNUSABLE', fault, {
      hint: "Its labels would differ from those of the same version made elsewhere. Quantize the graph in 7 bits, or write golden outputs of a new model with 'winnow labeler golden --write' (docs/labelers.md); 'golden: warn' labels anyway.",
    })
  }
  return {
    machine,
    golden,
    goldenFile: file,
    makeGolden: async (wanted = tolerance) => {
      const made = await outputsNow(goldenTexts, wanted)
      const strange = made.cases.find(({ outputs }) => !outputs.every(Number.isFinite))
      if (strange === undefined) return made
      throw new WinnowError('BAD_DATA', `the model's outputs of ${JSON.stringify(strange.text)} are not finite`, {
        hint: 'Export it again: a score that is not finite cannot be a label.',
      })
    },
  }
}
