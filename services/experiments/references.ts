import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSamples } from '../model/reference.ts'
import { WinnowError } from '../runtime/errors.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import type { ReferenceFiles, TaskFiles } from './cells.ts'
import type { Plan } from './plan.ts'

/**
 * The references of a plan. One of several tasks has a reward for each, which are combined as `influence.combine` says, and is evaluated on the samples
 * of all in turn, so that each counts alike whatever `samplesMax` cuts off; they are written into the experiment's folder.
 * @throws WinnowError CONFIGURATION for a task that the corpus does not have
 */
export async function referencesOf(
  plan: Plan,
  tasks: Readonly<Record<string, TaskFiles>>,
  out: string,
): Promise<Record<string, ReferenceFiles>> {
  const wanted = plan.references ?? Object.fromEntries(Object.keys(tasks).map((task) => [task, [task]]))
  const references: Record<string, ReferenceFiles> = {}
  for (const [name, names] of Object.entries(wanted)) {
    const own = names.map((task) => {
      if (tasks[task] !== undefined) return tasks[task]
      throw new WinnowError(
        'CONFIGURATION',
        `${plan.file}: references.${name}: there is no task ${JSON.stringify(task)}`,
        {
          hint: `The corpus has: ${Object.keys(tasks).join(', ')}.`,
        },
      )
    })
    const rewards = own.map(({ reward }) => reward)
    const [first, ...others] = own
    const evaluation =
      others.length === 0 ? first!.evaluation : await inTurn(own, plan.samplesMax, join(out, 'references'), name)
    references[name] = { rewards, evaluation }
  }
  return references
}

/**
 * Held-out documents of the corpus for rewards on other text: those after the ones that losses are measured on. They are written into the experiment's folder.
 * @returns undefined: no strategy has a price
 * @throws WinnowError CONFIGURATION if there are none left
 */
export async function otherRewardsOf(plan: Plan, other: string, out: string): Promise<string | undefined> {
  const selections = [plan.run.selection, ...Object.values(plan.strategies).map(({ selection }) => selection)]
  if (!selections.some((one) => (one as { price?: unknown } | undefined)?.price !== undefined)) return undefined
  const samples = (await readSamples(other, 2 * plan.samplesMax)).slice(plan.samplesMax)
  if (samples.length === 0)
    throw new WinnowError('CONFIGURATION', `${plan.file}: ${other} has no samples left for the price of a strategy`, {
      hint: `Losses on other text are measured on its first ${plan.samplesMax} (samplesMax), rewards on as many after them: add samples, or lower samplesMax.`,
    })
  const folder = join(out, 'references')
  makeFolder(folder)
  // No reference has such a name.
  const file = join(folder, '_other.jsonl')
  writeFileSync(file, samples.map((one) => `${JSON.stringify(one)}\n`).join(''))
  return file
}

async function inTurn(tasks: readonly TaskFiles[], samplesMax: number, folder: string, name: string): Promise<string> {
  const samples = await Promise.all(tasks.map(({ evaluation }) => readSamples(evaluation, samplesMax)))
  const rows: string[] = []
  // As long as every task has another one.
  for (let at = 0; samples.every((own) => at < own.length); at++)
    rows.push(...samples.map((own) => JSON.stringify(own[at])))
  makeFolder(folder)
  const file = join(folder, `${name}.jsonl`)
  writeFileSync(file, `${rows.join('\n')}\n`)
  return file
}
