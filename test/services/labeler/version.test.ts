import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLabeler, labelerConfig, labelerVersion } from '../../../services/labeler/labeler.ts'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'

const topic = { name: 'topic', subcategories: ['Nature', 'Other', 'Finance', 'Health'] }
const quality = { name: 'quality', subcategories: ['0-1', '1-2', '2-3', '3-4', '4-5'] }
const shipped = { name: 'topic', subcategories: [...defaultActors.topic!] }
const gate = { name: 'gate', subcategories: ['passed', 'failed'] }
const language = { name: 'language', subcategories: ['en', 'de', 'other'] }
const influence = { name: 'influence', subcategories: ['all'] }
const domain = { name: 'domain', subcategories: ['Wikipedia', 'C4'] }

test.each([
  ['of an encoder', topic, { kind: 'onnx', model: 'topic' }],
  [
    'of an encoder with windows and an int8 graph',
    topic,
    { kind: 'onnx', model: 'topic', file: 'model_quantized.onnx', windows: { size: 32, combine: 'mean', limit: 3 } },
  ],
  ['of a regression', quality, { kind: 'onnx', model: 'quality' }],
  ['of a shipped model', shipped, { kind: 'hashed', model: 'shipped:topic' }],
  ['of rules', gate, { kind: 'rules' }],
  ['of languages', language, { kind: 'language', verdict: 'exclude' }],
  ['of a constant', influence, { kind: 'constant', score: -0.5 }],
  ['of metadata', domain, { kind: 'metadata', mapping: { wiki: 'Wikipedia' } }],
] as const)('the version computed from digests equals that of the built labeler: %s', async (_, actor, given) => {
  const config = labelerConfig.parse(given)
  const folder = join(import.meta.dirname, 'fixtures')
  const made = await createLabeler(actor, config, folder)
  expect(await labelerVersion(actor, config, folder)).toBe(made.version)
  await made.close()
})

test('a missing model has no version', async () => {
  const config = labelerConfig.parse({ kind: 'onnx', model: 'nowhere' })
  await expect(labelerVersion(topic, config, '/')).rejects.toMatchObject({ code: 'MODEL_UNUSABLE' })
})

test('a constant labels every document alike, for an actor of one subcategory', async () => {
  const config = labelerConfig.parse({ kind: 'constant' })
  const made = await createLabeler({ name: 'influence', subcategories: ['all'] }, config, '/')
  const inputs = ['a', ''].map((text) => ({ text, meta: {} }))
  expect(await made.label(inputs)).toEqual(inputs.map(() => ({ ok: true, subcategory: 0, score: 0 })))
  await made.close()
  await expect(createLabeler(topic, config, '/')).rejects.toMatchObject({ code: 'CONFIGURATION' })
})
