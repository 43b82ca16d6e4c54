import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { loadConfig, readYaml } from '../../services/config/load.ts'
import { readPlan } from '../../services/experiments/plan.ts'
import { withoutCampaigns } from '../../services/runs/run-file-campaigns.ts'
import { parseRunConfig } from '../../topologies/run-config.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { allBlocks } from '../support/documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-documents-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'block.yaml')

/** A run that lacks what blocks of run.yaml show. */
const run = {
  ...{ name: 'documented', updateSteps: 10, steps: 30, sampleDocuments: 5, model: 'm', checkpoints: 'k' },
  reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
  labelers: { quality: 'v1', domain: 'v1', topic: 'v1', educational: 'v1', influence: 'v1' },
  selection: {
    seed: 7,
    // What the preset of docs/strategies.md needs.
    actors: { domain: { subcategories: [...defaultActors.domain!] }, educational: { subcategories: ['all'] } },
    budget: { documents: 4 },
  },
}

/** A block is a plan of an experiment, a run.yaml, a winnow.yaml, or what stands under `actors` there; or a part of one of them. */
function read(text: string): 'plan' | 'run' | 'actors' | 'winnow' {
  writeFileSync(file, text)
  const given = readYaml(file) as Record<string, object> | null
  if (given !== null && 'strategies' in given) {
    readPlan(file, folder)
    return 'plan'
  }
  if (given !== null && ('selection' in given || 'sampleDocuments' in given)) {
    parseRunConfig(withoutCampaigns({ ...run, ...given, selection: { ...run.selection, ...given.selection } }))
    return 'run'
  }
  const isActors = given !== null && Object.values(given).every((value) => 'labeler' in value)
  if (isActors) writeFileSync(file, `actors:\n${text.replaceAll(/^/gm, '  ')}`)
  loadConfig({ file, env: {} })
  return isActors ? 'actors' : 'winnow'
}

const blocks = allBlocks().filter(({ language }) => language === 'yaml')

test('every piece of configuration in a document is accepted', () => {
  const wrong = blocks.flatMap(({ file: document, line, text }) => {
    try {
      return read(text) && []
    } catch (error) {
      return [`${document}:${line}: ${(error as Error).message}`]
    }
  })
  expect(wrong).toEqual([])
  expect(blocks.length).toBeGreaterThan(10)
})

test('all kinds of blocks are among them, and an unknown key is refused in each', () => {
  expect(new Set(blocks.map(({ text }) => read(text)))).toEqual(new Set(['plan', 'run', 'actors', 'winnow']))
  expect(() => read('selection: { stratgy: top }\n')).toThrow('stratgy')
  expect(() => read('quality: { labeler: { kind: hashed, modell: x } }\n')).toThrow('modell')
  expect(() => read('corpus: { partition: 4 }\n')).toThrow('partition')
})
