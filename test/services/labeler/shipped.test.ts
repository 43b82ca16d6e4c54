import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluateCommand } from '../../../services/labeler/commands/evaluate.ts'
import { createLabeler, type Labeler, labelerConfig } from '../../../services/labeler/labeler.ts'

const models = join(import.meta.dirname, '../../../services/labeler/models')
const data = join(import.meta.dirname, '../../../../shared/data')
const corpus = [0, 1, 2, 3].map((shard) => join(data, `mini-slimpajama-${shard}.jsonl.gz`))

const quality = { name: 'quality', subcategories: ['0-1', '1-2', '2-3', '3-4', '4-5'] }
const topic = {
  name: 'topic',
  subcategories: [
    'Activity',
    'Education',
    'Entertainment',
    'Finance',
    'Health',
    'Business and Industrial',
    'Infrastructure',
    'Literature and Art',
    'Nature',
    'Others',
    'Law and Government',
    'Networking',
    'Technology',
  ],
}

const config = (model: string) => labelerConfig.parse({ kind: 'hashed', model: `shipped:${model}` })
const inputs = (texts: string[]) => texts.map((text) => ({ text, meta: {} }))

let labelers: Record<'quality' | 'topic', Labeler>
beforeAll(async () => {
  labelers = {
    quality: await createLabeler(quality, config('quality'), '/'),
    topic: await createLabeler(topic, config('topic'), '/'),
  }
})
afterAll(async () => {
  await labelers.quality.close()
  await labelers.topic.close()
})

describe('the shipped models', () => {
  it.each([
    [
      'Law and Government',
      'The Senate passed the bill after the governor vetoed it. The court ruled that the law violates the constitution, and voters will decide in the election.',
    ],
    [
      'Technology',
      'import numpy as np\n\ndef load(path):\n    """Reads the file and returns an array."""\n    with open(path) as f:\n        return np.array([float(x) for x in f])\n',
    ],
    [
      'Health',
      'Patients with diabetes should ask their doctor about symptoms, treatment and medication. The disease raises blood pressure and the risk of heart attacks.',
    ],
    [
      'Entertainment',
      'The new season of the show premieres on Friday. The actor, who starred in the movie, told fans that the director and the cast had filmed the last episode.',
    ],
  ])('find %s', async (name, text) => {
    const [result] = await labelers.topic.label(inputs([text]))
    expect(result!.ok && topic.subcategories[result!.subcategory]).toBe(name)
  })

  it('rate an explanation above an advertisement', async () => {
    const [explanation, advertisement] = await labelers.quality.label(
      inputs([
        'Photosynthesis is the process by which plants convert light energy into chemical energy. In the first stage, chlorophyll absorbs light, and water molecules are split into oxygen, protons and electrons. In the second stage, known as the Calvin cycle, carbon dioxide is reduced to sugars. The equation of the whole process shows how students can understand the balance of mass.',
        'BUY NOW!!! Best cheap deals, free shipping, click here to order. Sale ends today! Discount coupon codes 50% off, add to cart. Contact us. Sign in. Cookie policy.',
      ]),
    )
    expect(explanation!.ok && advertisement!.ok && explanation!.score > advertisement!.score + 0.5).toBe(true)
  })

  it('use a topic in a web page’s metadata as evidence, and work without it', async () => {
    const text = 'Read more about our latest news and what we have done this year.'
    const metas = [{ topic: 'Health' }, { topic: 'Software Development' }, {}, null, { topic: 'Unheard of' }]
    const results = await labelers.topic.label(metas.map((meta) => ({ text, meta })))
    expect(results.slice(0, 2).map((result) => result.ok && topic.subcategories[result.subcategory])).toEqual([
      'Health',
      'Technology',
    ])
    expect(results.slice(3)).toEqual([results[2], results[2]])
    const [plain, given] = await labelers.quality.label([{}, { topic: 'Health' }].map((meta) => ({ text, meta })))
    expect(given).toEqual(plain)
  })

  it.each([[''], ['\ud800'], ['x'.repeat(100_000)], ['\u0000'.repeat(5000)], ['word '.repeat(2_000_000)]])(
    'label any text %#',
    async (text) => {
      for (const labeler of Object.values(labelers))
        expect((await labeler.label(inputs([text])))[0]).toMatchObject({ ok: true })
    },
  )

  it('come with their provenance and cross-validated metrics, in a few megabytes', () => {
    let bytes = 0
    for (const name of ['quality', 'topic']) {
      const file = JSON.parse(readFileSync(join(models, name, 'model.json'), 'utf8'))
      bytes += statSync(join(models, name, 'weights.bin')).size
      expect(file.training.annotations).toMatchObject({ rows: 1400, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
      expect(file.metrics.obtained).toContain('cross-validation')
      // Beyond a linear model of the same n-grams without auxiliary labels: 0.48 and 0.757.
      if (name === 'topic') {
        expect(file.metrics.accuracy).toBeGreaterThan(0.65)
        expect(file.metrics.macroF1).toBeGreaterThan(0.6)
      } else expect(file.metrics.spearman).toBeGreaterThan(0.78)
    }
    expect(bytes).toBeLessThan(8_000_000)
  })

  it.skipIf(!existsSync(corpus[0]!))(
    'label the annotated documents as well as training saw (skipped without ../shared/data)',
    async () => {
      const options = { baseFolder: '/', annotations: join(data, 'annotations.jsonl'), corpus }
      const ofTopic = await evaluateCommand({
        ...options,
        actor: topic,
        labeler: config('topic'),
        task: 'topic',
        kind: 'classification',
      })
      expect(ofTopic).toMatchObject({ documents: 1400, unlabelled: 0, trainedOnThese: true })
      // They were trained on: a lower value means that what is shipped is not what was trained.
      expect(ofTopic.metrics.accuracy).toBeGreaterThan(0.7)
      const ofQuality = await evaluateCommand({
        ...options,
        actor: quality,
        labeler: config('quality'),
        task: 'quality',
        kind: 'regression',
      })
      expect(ofQuality.metrics.spearman).toBeGreaterThan(0.8)
    },
  )
})
