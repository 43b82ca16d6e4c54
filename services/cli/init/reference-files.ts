import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Seed } from '../../../topologies/selection/u64.ts'
import type { Runtime } from '../../connections/connections.ts'
import { drawDocuments } from '../../corpus/draw.ts'
import { passageOf } from '../../corpus/passages.ts'
import { readable } from '../../corpus/readable.ts'
import { type ReferenceSample, readSamples } from '../../model/reference.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { makeFolder } from '../../runtime/make-folder.ts'

const names = ['reward', 'evaluation', 'corpus'] as const
type Texts = Record<(typeof names)[number], ReferenceSample[]>

export interface ReferenceFiles {
  /** From the folder of run.yaml, as it names them. */
  readonly paths: Record<(typeof names)[number], string>
  readonly note: string
  /** Those that were made now; others were there. */
  readonly written: readonly string[]
}

const seed = 1n as Seed
const samplesEach = 64
/** Some documents are too short for a passage. */
const drawn = 6 * samplesEach

/**
 * The three files of a run's reference, in a folder `reference` beside run.yaml; what is there stays.
 * @param own a file of samples: half of them become the reward's, half the evaluation's; left out: passages of the corpus
 * @throws WinnowError CONFIGURATION where there is not enough text for them
 */
export async function referenceFiles(
  runtime: Runtime,
  folder: string,
  own: string | undefined,
): Promise<ReferenceFiles> {
  const written: string[] = []
  const fileOf = (name: string) => join(folder, 'reference', `${name}.jsonl`)
  const note =
    own === undefined
      ? 'These are passages of the corpus itself, so that it works at once: put texts of your own task in their place.'
      : `Reward and evaluation are the samples of ${own} in turn; corpus is passages of the corpus.`
  if (names.some((name) => !existsSync(fileOf(name)))) {
    const texts = await textsFor(runtime, own === undefined ? undefined : resolve(folder, own))
    makeFolder(join(folder, 'reference'))
    for (const name of names) {
      if (existsSync(fileOf(name))) continue
      writeFileSync(fileOf(name), texts[name].map((row) => `${JSON.stringify(row)}\n`).join(''))
      written.push(fileOf(name))
    }
  }
  const path = (name: string) => `./reference/${name}.jsonl`
  return { paths: { reward: path('reward'), evaluation: path('evaluation'), corpus: path('corpus') }, note, written }
}

async function textsFor(runtime: Runtime, own: string | undefined): Promise<Texts> {
  const passages = (await passagesOf(runtime)).map((text) => ({ text }))
  if (own === undefined) {
    const inTurn = (which: number) => passages.filter((_, i) => i % names.length === which).slice(0, samplesEach)
    return enough({ reward: inTurn(0), evaluation: inTurn(1), corpus: inTurn(2) }, 'the corpus')
  }
  const rows = await samplesOf(own)
  const half = (which: number) => rows.filter((_, i) => i % 2 === which)
  return enough({ reward: half(0), evaluation: half(1), corpus: passages.slice(0, samplesEach) }, own)
}

function enough(texts: Texts, of: string): Texts {
  if (names.every((name) => texts[name].length > 0)) return texts
  throw new WinnowError('CONFIGURATION', `${of} has too little text to make a reference of`, {
    hint: 'Ingest documents of some sentences, or give a file of samples: winnow init --run --reference FILE.',
  })
}

async function passagesOf(runtime: Runtime): Promise<string[]> {
  const ids = await drawDocuments(runtime.clickHouse.sql, seed, drawn)
  const texts = await readable(runtime, 'left out').texts(ids)
  const whole = new Set(texts.values())
  const found = ids.flatMap((id) => passageOf(texts.get(id) ?? '') ?? [])
  return [...new Set(found)].filter((passage) => !whole.has(passage))
}

/** The samples of a file, each once. */
async function samplesOf(file: string): Promise<ReferenceSample[]> {
  const samples = await readSamples(file, Number.POSITIVE_INFINITY)
  return [...new Map(samples.map((sample) => [JSON.stringify(sample), sample])).values()]
}
