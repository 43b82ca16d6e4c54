import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { configReference } from '../../deploy/tools/config-reference.ts'
import { configurationText, defaultAnswers } from '../../services/cli/init/configuration.ts'
import { configSchema } from '../../services/config/config.ts'
import { environment } from '../../services/config/environment.ts'
import { fieldsOf, jsonSchemaOf } from '../../services/config/fields.ts'

const reference = configReference()

describe('the configuration reference', () => {
  test.each(Object.keys(reference))(
    'docs/%s is what the schemas say (node deploy/tools/publish-config-reference.ts)',
    (file) => {
      expect(readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8')).toBe(reference[file])
    },
  )

  test('describes every key of winnow.yaml and names every environment variable', () => {
    const fields = fieldsOf(jsonSchemaOf(configSchema))
    expect(fields.length).toBeGreaterThan(25)
    expect(fields.filter(({ description, path }) => description === '' && path !== 'actors.NAME')).toEqual([])
    for (const [variable, place] of Object.entries(environment)) {
      expect(reference['winnow-yaml.md']).toContain(`\`${variable}\``)
      expect(fields.map(({ path }) => path)).toContain(place)
    }
  })
})

describe('the JSON Schemas for editors', () => {
  const compiled = (file: string) =>
    new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(reference[file]!))

  test('accept what winnow init writes, and nothing that winnow would refuse', () => {
    const example = configurationText({ ...defaultAnswers, brokers: 'broker-1:9092' }, 'schema')
    const valid = compiled('winnow.schema.json')
    expect(valid(parse(example)), JSON.stringify(valid.errors)).toBe(true)
    for (const wrong of [
      { kafka: { broker: [] } },
      { corpus: { partitions: 0 } },
      { actors: { topic: { labeler: { kind: 'psychic' } } } },
      { metrics: { port: 'http' } },
    ])
      expect(valid(wrong), JSON.stringify(wrong)).toBe(false)
  })

  test('accept a run, and refuse one without a budget', () => {
    const valid = compiled('run.schema.json')
    const run = {
      name: 'r',
      selection: { seed: 7, collaboration: 'single:topic', budget: { documents: 10 } },
      updateSteps: 1,
      steps: 2,
      labelers: { topic: 'v1' },
      reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
      model: 'm',
      checkpoints: 'k',
    }
    expect(valid(run), JSON.stringify(valid.errors)).toBe(true)
    expect(valid({ ...run, selection: { seed: 7 } })).toBe(false)
    expect(valid({ ...run, selection: { ...run.selection, collaboration: 'alone' } })).toBe(false)
  })
})
