import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { describe, expect, it } from 'vitest'
import { demoGraphs } from '../../../../deploy/demo/model.ts'
import { type GraphName, readDescription } from '../../../../services/model/description.ts'

const description = await readDescription(demoGraphs)
const parameters = description.parameters.map(({ name }) => name)
const moments = ['m.', 'v.'].flatMap((prefix) => parameters.map((name) => prefix + name))

async function namesOf(graph: GraphName) {
  const session = await InferenceSession.create(join(demoGraphs, description.graphs[graph].file), {
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
  })
  const names = { inputs: session.inputNames.toSorted(), outputs: [...session.outputNames] }
  await session.release()
  return names
}

describe('the exported graphs of the demo model', () => {
  it('take every weight as an input named as in a checkpoint', async () => {
    expect(parameters.slice(0, 2)).toEqual(['model.embed_tokens.weight', 'model.layers.0.self_attn.q_proj.weight'])
    expect(parameters.length).toBe(1 + 2 * 9 + 2)
    const { inputs, outputs } = await namesOf('loss')
    expect(inputs).toEqual([...parameters, 'ids', 'mask'].toSorted())
    expect(outputs).toEqual(['loss', 'count', 'likelihood'])
  })

  it('project every linear layer but the output embedding', async () => {
    const modules = description.projection.modules.map(({ name }) => name)
    expect(modules.length).toBe(2 * 7)
    expect(modules).not.toContain('lm_head')
    const { inputs, outputs } = await namesOf('influence')
    const projections = modules.flatMap((name) => [`P_in.${name}`, `P_out.${name}`])
    expect(inputs).toEqual([...parameters, ...projections, 'ids', 'mask'].toSorted())
    expect(outputs).toEqual(['loss', 'phi'])
  })

  it('take the whole optimizer state as inputs and return all of the new state', async () => {
    const { inputs, outputs } = await namesOf('train')
    const scalars = ['learning_rate', 'weight_decay', 'clip', 'beta1', 'beta2', 'epsilon']
    const corrections = ['bias_correction1', 'bias_correction2']
    expect(inputs).toEqual([...parameters, ...moments, 'ids', 'mask', ...scalars, ...corrections].toSorted())
    expect(outputs).toEqual(['loss', 'gradient_norm', ...[...parameters, ...moments].map((name) => `new.${name}`)])
  })

  it('are small: they contain no weights, no tables and no paths of the exporting machine', async () => {
    // The trained weights that labelers of perplexity begin with stand beside them.
    const files = (await readdir(demoGraphs)).filter((file) => file !== 'weights.safetensors')
    let total = 0
    for (const file of files) total += (await stat(join(demoGraphs, file))).size
    expect(total).toBeLessThan(1_000_000)
    for (const { file } of Object.values(description.graphs))
      expect((await readFile(join(demoGraphs, file))).includes('site-packages')).toBe(false)
  })
})

describe('the export tool', () => {
  it('pins every package to an exact version, including those named in model.json', async () => {
    const folder = join(import.meta.dirname, '../../../../services/influence/export')
    const lines = (await readFile(join(folder, 'requirements.txt'), 'utf8')).trim().split('\n')
    const pinned = lines.filter((line) => !line.startsWith('#'))
    for (const line of pinned) expect(line).toMatch(/^[a-z-]+==[0-9.]+$/)
    const { versions } = JSON.parse(await readFile(join(demoGraphs, 'model.json'), 'utf8'))
    for (const [name, version] of Object.entries(versions))
      if (name !== 'opset')
        expect(pinned.map((line) => line.split('+')[0])).toContain(`${name}==${String(version).split('+')[0]}`)
  })
})
