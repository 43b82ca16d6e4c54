import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type ExampleFacts, exampleRun } from '../../../../services/cli/init/run-example.ts'
import { graphsFolder } from '../../../../services/model/shipped.ts'
import { parseRunConfig } from '../../../../topologies/run-config.ts'
import { defaultActors } from '../../../../topologies/selection/default-actors.ts'

const reference = { reward: './r.jsonl', evaluation: './e.jsonl', corpus: './c.jsonl' }
const facts: ExampleFacts = {
  ...{ name: 'mine', preset: 'small', control: false, documents: 2001, reference, referenceNote: 'note', schema: 's' },
  ofCorpus: true,
  checkpoints: '/data/checkpoints',
  actors: [
    { name: 'quality', subcategories: defaultActors.quality! },
    { name: 'true', subcategories: ['a: b', "it's", '#'] },
  ],
  versions: new Map([
    ['quality', '0123456789abcdef'],
    ['true', '12'],
  ]),
}
const exampleOf = (more: Partial<ExampleFacts> = {}) => {
  const text = exampleRun({ ...facts, ...more })
  return { text, run: parseRunConfig(parse(text)) }
}

test('the example parses, with the settings that make small models learn, actors and versions written out', () => {
  const { run, text } = exampleOf()
  expect(run).toMatchObject({
    name: 'mine',
    selection: { rewardTransform: { kind: 'standardize' }, unrewarded: 'mean', budget: { documents: 500 } },
    labelers: { quality: '0123456789abcdef', true: '12' },
    model: 'shipped:llama-64x2',
    reference,
    checkpoints: '/data/checkpoints',
  })
  expect(run.selection.actors.map(({ name, eta, subcategories }) => ({ name, eta, subcategories }))).toEqual([
    { name: 'quality', eta: 0.5, subcategories: defaultActors.quality },
    { name: 'true', eta: 0.5, subcategories: ['a: b', "it's", '#'] },
  ])
  expect(text).toMatch(/^# yaml-language-server: \$schema=s\n/)
  expect(text.split('\n').every((line) => line.length <= 160)).toBe(true)
  expect(graphsFolder(run.model)).toMatch(/llama-64x2$/)
})

test('the paper’s preset has the paper’s values, and a control draws at random and requests no rewards', () => {
  expect(exampleOf({ preset: 'paper' }).run.selection).toMatchObject({
    rewardTransform: { kind: 'identity' },
    unrewarded: 'keep',
    actors: [{ eta: 0.1 }, { eta: 0.1 }],
  })
  const { run } = exampleOf({ control: true })
  expect(run.sampleDocuments).toBe(0)
  expect(run.selection.actors.map(({ initialTheta }) => initialTheta)).toEqual([0, 0])
  expect(run.selection.budget).toEqual(exampleOf().run.selection.budget)
})

test('a tiny corpus gets a budget of one document; an unknown shipped model is refused by name', () => {
  expect(exampleOf({ documents: 2 }).run.selection.budget).toEqual({ documents: 1 })
  expect(() => graphsFolder('shipped:gpt')).toThrow('no model gpt is shipped')
  expect(() => graphsFolder('shipped:../../trainer')).toThrow('is shipped')
  expect(graphsFolder('/models/mine')).toBe('/models/mine')
})

test('samples that are passages of the corpus are no evaluation sets, which would take out the documents that they are of', () => {
  expect(exampleOf().run.reference.evalSets).toBe(false)
  expect(exampleOf({ ofCorpus: false }).run.reference.evalSets).toBeUndefined()
})
