import type { Progress } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { readProgress } from '../../services/runs/recorded.ts'
import { formatFixed, table } from '../../services/terminal/table.ts'

/** The two runs of the demo as the two trainers trained them; reference losses in nats per token, null where one has none. */
export interface Beside {
  readonly runs: readonly { readonly typescript: string; readonly python: string; readonly losses: readonly Pair[] }[]
}

export interface Pair {
  readonly step: number
  readonly tokens: number
  readonly typescript: number | null
  readonly python: number | null
}

/** @param pairs names of runs, of the TypeScript trainer's and of the one that PyTorch trained */
export async function besideOf(
  runtime: Runtime,
  pairs: readonly { typescript: string; python: string }[],
): Promise<Beside> {
  return {
    runs: await Promise.all(
      pairs.map(async ({ typescript, python }) => {
        const [ours, theirs] = await Promise.all([readProgress(runtime, typescript), readProgress(runtime, python)])
        return { typescript, python, losses: pairsOf(ours, theirs) }
      }),
    ),
  }
}

/** Evaluations at equal steps. A step that was reported twice, by a trainer that was resumed, counts once. */
export function pairsOf(typescript: readonly Progress[], python: readonly Progress[]): Pair[] {
  const of = (reports: readonly Progress[]) =>
    new Map(reports.filter(({ referenceLoss }) => referenceLoss !== null).map((one) => [one.step, one]))
  const [ours, theirs] = [of(typescript), of(python)]
  return [...new Set([...ours.keys(), ...theirs.keys()])]
    .sort((a, b) => a - b)
    .map((step) => ({
      step,
      tokens: (ours.get(step) ?? theirs.get(step))!.tokens,
      typescript: ours.get(step)?.referenceLoss ?? null,
      python: theirs.get(step)?.referenceLoss ?? null,
    }))
}

const number = true

/** A table for each run, and how far the trainers are apart. */
export const besideText = ({ runs }: Beside): string =>
  [
    'The same two runs, trained by TypeScript and by PyTorch: reference loss in nats per token at equal tokens',
    ...runs.flatMap(({ typescript, python, losses }) => [
      table(
        ['step', 'tokens', typescript, python, 'difference'].map((title) => ({ title, number })),
        losses.map((pair) => [
          `${pair.step}`,
          `${pair.tokens}`,
          formatFixed(pair.typescript, 4),
          formatFixed(pair.python, 4),
          formatFixed(differenceOf(pair), 4),
        ]),
      ),
      '',
    ]),
  ].join('\n')

export const differenceOf = ({ typescript, python }: Pair): number | null =>
  typescript === null || python === null ? null : python - typescript
