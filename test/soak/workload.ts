import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Seeded } from '../support/seeded.ts'

/** Name of the run. */
export const run = 'soak'
export const documentsInBurst = 200

const domains = ['RedPajamaC4', 'RedPajamaGithub', 'RedPajamaWikipedia', 'RedPajamaBook']
const words =
  'river stone the of function return market light winter engine table measure paper king cell water code data north song'.split(
    ' ',
  )

const textOf = (chance: Seeded): string =>
  Array.from({ length: 30 + chance.below(60) }, () => chance.pick(words)).join(' ')

/** A file of new documents. @returns its path */
export function writeBurst(folder: string, burst: number, chance: Seeded): string {
  const path = join(folder, `burst-${burst}.jsonl`)
  const row = (n: number) => ({
    text: `${burst} ${n}: ${textOf(chance)}`,
    meta: { redpajama_set_name: chance.pick(domains) },
  })
  writeFileSync(path, Array.from({ length: documentsInBurst }, (_, n) => `${JSON.stringify(row(n))}\n`).join(''))
  return path
}

/** winnow.yaml and the file of a run without end, whose rounds last some seconds. */
export function writeFiles(folder: string, chance: Seeded): void {
  const configured = {
    ...{ corpus: { partitions: 2 }, metrics: { enabled: false } },
    // Full before memory is judged: the default, a gibibyte, takes some hundred rounds.
    influence: { checkpointMiBMax: 16 },
  }
  writeFileSync(join(folder, 'winnow.yaml'), stringify(configured))
  for (const name of ['reward', 'evaluation', 'corpus'])
    writeFileSync(
      join(folder, `${name}.jsonl`),
      Array.from({ length: 8 }, (_, n) => `${JSON.stringify({ text: `${name} ${n}: ${textOf(chance)}` })}\n`).join(''),
    )
  const config = {
    name: run,
    selection: { seed: chance.below(2 ** 31), budget: { documents: documentsInBurst / 4 } },
    ...{ steps: 1_000_000, updateSteps: 40, sampleDocuments: 1, rewardDeadlineSeconds: 60 },
    reference: { reward: 'reward.jsonl', evaluation: 'evaluation.jsonl', corpus: 'corpus.jsonl', samplesMax: 8 },
    ...{ model: 'shipped:llama-64x2', checkpoints: './checkpoints' },
    trainer: { batch: 4, context: 64, reportSteps: 20 },
  }
  writeFileSync(join(folder, 'run.yaml'), stringify(config))
}

/** Of a run's checkpoints these stay: workers read those of rounds that are not closed. */
const checkpointsKept = 10

/** Hours of rounds would fill a disk. */
export function pruneCheckpoints(folder: string): void {
  const own = join(folder, 'checkpoints', run)
  const names = readdirSync(own).filter((name) => name.endsWith('.safetensors'))
  for (const name of names.sort().slice(0, -checkpointsKept)) rmSync(join(own, name))
}
