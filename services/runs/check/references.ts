import { realpath } from 'node:fs/promises'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { documentsOfTexts } from '../../corpus/search.ts'
import type { Model } from '../../model/model.ts'
import { readSamples, sequencesOf, wholeText } from '../../model/reference.ts'
import { type Problem, problemOf } from './problem.ts'

interface Reference {
  /** The key of run.yaml. */
  readonly key: string
  readonly path: string
}

const referencesOf = ({ reference }: RunConfig): Reference[] => [
  { key: 'reward', path: reference.reward },
  ...(reference.moreRewards ?? []).map((path, i) => ({ key: `moreRewards.${i}`, path })),
  ...(reference.other === undefined ? [] : [{ key: 'other', path: reference.other }]),
  { key: 'evaluation', path: reference.evaluation },
  { key: 'corpus', path: reference.corpus },
]

/**
 * Each file exists and has samples; no file is used twice; evaluation samples are not reward samples; and no sample is a document of the
 * corpus, on which the model would be trained. @param model omitted if it cannot be used: then samples are not tokenized
 */
export async function checkReferences(
  run: RunConfig,
  runtime: Pick<Runtime, 'clickHouse' | 'texts'>,
  model: Model | undefined,
): Promise<Problem[]> {
  const references = referencesOf(run)
  const problems = await twice(references)
  const texts = new Map<Reference, Set<string>>()
  for (const reference of references) {
    const found = await problemOf(async () => {
      const { samplesMax } = run.reference
      const samples = await readSamples(reference.path, samplesMax)
      texts.set(reference, new Set(samples.map(wholeText)))
      if (model !== undefined) await sequencesOf(samples, model, run.trainer.context)
    }, 'Give a file of JSON lines with text, or with context and continuation.')
    problems.push(...found.map(({ what, mend }) => ({ what: `reference.${reference.key}: ${what}`, mend })))
  }
  return [...problems, ...leaks(texts), ...(await inCorpus(texts, runtime))]
}

async function twice(references: readonly Reference[]): Promise<Problem[]> {
  const seen = new Map<string, string>()
  const problems: Problem[] = []
  for (const { key, path } of references) {
    const file = await realpath(path).catch(() => path)
    const other = seen.get(file)
    seen.set(file, other ?? key)
    if (other !== undefined)
      problems.push({
        what: `reference.${other} and reference.${key} are the same file, ${path}`,
        mend: 'Split its samples: what rewards are measured on must not be what is evaluated on.',
      })
  }
  return problems
}

function leaks(texts: ReadonlyMap<Reference, ReadonlySet<string>>): Problem[] {
  const rewards = [...texts].filter(([{ key }]) => key === 'reward' || key.startsWith('moreRewards'))
  const evaluation = [...texts].find(([{ key }]) => key === 'evaluation')
  if (evaluation === undefined) return []
  return rewards.flatMap(([{ key, path }, samples]) => {
    const shared = [...evaluation[1]].filter((text) => samples.has(text)).length
    if (shared === 0 || path === evaluation[0].path) return []
    return {
      what: `${shared} of the ${evaluation[1].size} samples of reference.evaluation are samples of reference.${key} too`,
      mend: `Take them out of one of the files: ${path}, ${evaluation[0].path}.`,
    }
  })
}

const encrypted: Problem = {
  what: 'whether the corpus contains samples of the references is not known: its texts are encrypted, and cannot be searched',
  mend: 'Make them an evaluation set: decontamination compares documents as they come (docs/decontamination.md).',
  isWarning: true,
}

/** One scan for all references. */
async function inCorpus(
  texts: ReadonlyMap<Reference, ReadonlySet<string>>,
  { clickHouse: { sql }, texts: { masterKeys } }: Pick<Runtime, 'clickHouse' | 'texts'>,
): Promise<Problem[]> {
  if (masterKeys !== undefined) return [encrypted]
  const all = [...new Set([...texts.values()].flatMap((samples) => [...samples]))]
  const { documents, seconds, complete } = await documentsOfTexts(sql, all)
  const problems: Problem[] = []
  for (const [{ key, path }, samples] of texts) {
    const found = documents.filter(({ text }) => samples.has(text)).map(({ docId }) => docId)
    if (found.length === 0) continue
    const shown = found.slice(0, 3).join(', ')
    problems.push({
      what: `${found.length} of the ${samples.size} samples of reference.${key} are documents of the corpus (${shown}${found.length > 3 ? ', …' : ''}), which the model may be trained on`,
      mend: `Take them out of ${path}.`,
    })
  }
  if (complete) return problems
  const partial: Problem = {
    what: `whether the corpus contains samples of the references is not known: the search took longer than ${seconds} s, and has not seen all documents`,
    mend: 'Make sure yourself that the references are held out.',
    isWarning: true,
  }
  return [...problems, partial]
}
