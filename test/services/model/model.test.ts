import { existsSync } from 'node:fs'
import { appendFile, cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { openModel } from '../../../services/model/model.ts'
import { temporaryFolder } from './support.ts'

async function copied(change: (folder: string) => Promise<unknown>) {
  const folder = await temporaryFolder()
  await cp(demoGraphs, folder.path, { recursive: true })
  await change(folder.path)
  return folder
}

describe('a model folder', () => {
  it('opens with its tokenizer, whose ids decode to the text', async () => {
    const model = await openModel({ graphs: demoGraphs })
    const text = 'The jury said "no evidence" – naïve 漢字 \u{1f600}\n\tconst x = 1'
    const ids = await model.tokenizer.encode(text)
    expect(ids.length).toBeGreaterThan(10)
    expect(Math.max(...ids)).toBeLessThan(4096)
    expect([...(await model.tokenizer.encodeAll(['', text]))]).toEqual([new Int32Array(0), ids])
    expect([...(await model.tokenizer.encode('<|endoftext|>'))]).toEqual([0])
    expect((await model.tokenizer.encode('a lone surrogate \ud800')).length).toBeGreaterThan(3)
    await model.close()
  })

  it.skipIf(existsSync('/proc/driver/nvidia'))(
    'on a device that is not there is refused, not run elsewhere (skipped with an NVIDIA driver)',
    async () => {
      const model = await openModel({ graphs: demoGraphs, device: 'cuda' })
      const worker = model.startWorker()
      await worker.call('initialize', { seed: '1' })
      const sequences = [{ ids: new Int32Array([1, 2]), mask: new Float32Array([0, 1]) }]
      await expect(worker.call('evaluate', { sequences })).rejects.toMatchObject({
        code: 'MODEL_UNUSABLE',
        hint: expect.stringContaining('CUDA'),
      })
      await model.close()
    },
  )

  it.each<[string, (folder: string) => Promise<unknown>]>([
    ['train.onnx cannot be read', (folder) => rm(join(folder, 'train.onnx'))],
    ['loss.onnx is not the graph', (folder) => appendFile(join(folder, 'loss.onnx'), 'x')],
    ['model.json is not JSON', (folder) => writeFile(join(folder, 'model.json'), '{')],
    ['model.json: ', (folder) => writeFile(join(folder, 'model.json'), '{}')],
    ['it does not exist', (folder) => rm(join(folder, 'tokenizer.json'))],
    ['it cannot be parsed', (folder) => writeFile(join(folder, 'tokenizer.json'), '{}')],
    [
      'it has 4096 tokens, the model 100',
      async (folder) => {
        const path = join(folder, 'model.json')
        const description = JSON.parse(await readFile(path, 'utf8'))
        description.config.vocab_size = 100
        await writeFile(path, JSON.stringify(description))
      },
    ],
  ])('is refused if %s', async (reason, change) => {
    await using folder = await copied(change)
    const opening = openModel({ graphs: folder.path })
    await expect(opening).rejects.toMatchObject({ code: 'MODEL_UNUSABLE', message: expect.stringContaining(reason) })
  })
})
