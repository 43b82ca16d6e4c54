import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scaledCheckpoint } from './support.ts'
import { type Trained, trainedModel } from './trained.ts'

let world: Trained
beforeAll(async () => {
  world = await trainedModel()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('rewards at checkpoints', () => {
  it('never mix two checkpoints requested at once', async () => {
    const { folder, model, trained, reference, documents, influence } = world
    const other = await scaledCheckpoint(model, '4', 2, join(folder, 'other.safetensors'))
    const expected = []
    for (const checkpoint of [trained, other]) {
      const scorer = influence()
      expected.push(await (await scorer.at(checkpoint, [reference])).score(documents))
      await scorer.close()
    }
    expect(expected[0]).not.toEqual(expected[1])
    const scorer = influence({ workers: 2 })
    const old = await scorer.at(trained, [reference])
    const loading = scorer.at(other, [reference])
    const answers = await Promise.all(documents.map(async (document) => (await old.score([document]))[0]))
    expect(answers).toEqual(expected[0])
    const [atNew, atOld] = await Promise.all([(await loading).score(documents), old.score(documents)])
    expect([atOld, atNew]).toEqual(expected)
    await scorer.close()
  })

  it('keep the reference gradients of two checkpoints', async () => {
    const { folder, model, trained, reference, influence } = world
    const scorer = influence()
    const checkpoints = [trained]
    for (const seed of ['1', '2'])
      checkpoints.push(await scaledCheckpoint(model, seed, 1, join(folder, `seed-${seed}.safetensors`)))
    const at = (k: number) => scorer.at(checkpoints[k]!, [reference])
    const first = await at(0)
    expect(first.summaries.map(({ sequences }) => sequences)).toEqual([8])
    expect(await at(0)).toBe(first)
    const second = await at(1)
    expect([await at(0), await at(1)]).toEqual([first, second])
    await at(0)
    await at(2)
    expect(await at(0)).toBe(first)
    const again = await at(1)
    expect(again).not.toBe(second)
    expect(again.summaries).toEqual(second.summaries)
    const fewer = await scorer.at(trained, [reference.slice(0, 3)])
    expect(fewer.summaries[0]!.sequences).toBe(3)
    await scorer.close()
  })

  it('are refused if the file is not the one that the request names, and the next request works', async () => {
    const { folder, trained, reference, influence } = world
    const scorer = influence()
    const replaced = join(folder, 'replaced.safetensors')
    await copyFile(trained.path, replaced)
    await expect(scorer.at({ path: replaced, digest: '00' }, [reference])).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPLETE',
      message: expect.stringContaining('the request names 00'),
    })
    await expect(scorer.at({ path: '/nowhere', digest: '01' }, [reference])).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPLETE',
    })
    await expect(scorer.at(trained, [])).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect(
      (await scorer.at({ path: replaced, digest: trained.digest }, [reference])).summaries[0]!.loss,
    ).toBeGreaterThan(0)
    await scorer.close()
  })
})
