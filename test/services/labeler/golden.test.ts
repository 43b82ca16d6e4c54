import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { compareGoldenFiles, goldenCommand } from '../../../services/labeler/commands/golden.ts'
import { compareGolden, type Golden, readGolden } from '../../../services/labeler/golden/golden.ts'
import { instructionsOf } from '../../../services/labeler/golden/machine.ts'
import {
  createLabeler,
  type Labeler,
  type LabelerConfigInput,
  labelerConfig,
} from '../../../services/labeler/labeler.ts'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'

const fixtures = join(import.meta.dirname, 'fixtures')
const topic = { name: 'topic', subcategories: ['Nature', 'Other', 'Finance', 'Health'] }
const int8: LabelerConfigInput = { kind: 'onnx', model: 'topic', file: 'model_quantized.onnx' }

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

async function started(actor: typeof topic, config: LabelerConfigInput, folder = fixtures): Promise<Labeler> {
  const labeler = await createLabeler(actor, labelerConfig.parse(config), folder)
  cleanups.push(() => labeler.close())
  return labeler
}

/** A copy of the fixtures whose golden outputs of the int8 graph are changed. */
function folderWith(change: (golden: Golden) => Golden): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-golden-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  cpSync(fixtures, folder, { recursive: true })
  const file = join(folder, 'topic/model_quantized.golden.json')
  writeFileSync(file, JSON.stringify(change(readGolden(file))))
  return folder
}

const shifted = (by: number) => (golden: Golden) => ({
  ...golden,
  cases: golden.cases.map((one, i) => (i === 3 ? { ...one, outputs: one.outputs.map((output) => output + by) } : one)),
})

describe('on this machine, whatever its processor', () => {
  test.each(['quality', 'topic'])('the shipped model %s gives its golden outputs to the bit', async (name) => {
    const actor = { name, subcategories: [...defaultActors[name]!] }
    const { model } = await started(actor, { kind: 'hashed', model: `shipped:${name}` }, '/')
    expect(model?.golden).toMatchObject({ state: 'agrees', comparison: { texts: 12, differenceMax: 0 } })
    expect(model?.machine.provider).toBe('javascript')
  })

  test('an int8 graph with 7-bit weights gives its golden outputs up to rounding', async () => {
    const { model } = await started(topic, { ...int8, windows: { size: 16 } })
    const golden = model!.golden
    expect(golden).toMatchObject({ state: 'agrees', comparison: { otherClass: 0 } })
    expect('comparison' in golden && golden.comparison.differenceMax).toBeLessThan(1e-5)
    expect(model?.machine).toMatchObject({ provider: 'cpu', runtime: expect.stringMatching(/^onnxruntime \d/) })
  })
})

describe('a labeler whose machine gives other outputs than the golden ones', () => {
  test('is refused, with the difference and both machines', async () => {
    await expect(started(topic, int8, folderWith(shifted(0.04)))).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      exitCode: 3,
      message: expect.stringMatching(/model_quantized\.golden\.json: this machine \(cpu, .*by up to 0\.0400 from/),
      hint: expect.stringContaining('7 bits'),
    })
  })

  test('starts if configured to warn only, logs it, and keeps its version', async () => {
    const folder = folderWith(shifted(0.04))
    const warned = await started(topic, { ...int8, golden: 'warn' }, folder)
    expect(warned.model?.golden).toMatchObject({ state: 'differs', comparison: { agrees: false, tolerance: 0.01 } })
    expect(warned.version).toBe((await started(topic, int8)).version)
    expect((await warned.label([{ text: 'text', meta: {} }]))[0]).toMatchObject({ ok: true })
  })

  test('starts if the difference is only rounding', async () => {
    const { model } = await started(topic, int8, folderWith(shifted(0.002)))
    expect(model?.golden.state).toBe('agrees')
  })

  test('is refused if they belong to another model or are damaged', async () => {
    const other = folderWith((golden) => ({ ...golden, model: '0'.repeat(64) }))
    await expect(started(topic, int8, other)).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
      message: expect.stringContaining('another model'),
    })
    const damaged = folderWith((golden) => ({ ...golden, cases: [] }))
    await expect(started(topic, int8, damaged)).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('a model without golden outputs is not checked', async () => {
    const { model } = await started(topic, { kind: 'onnx', model: 'topic' })
    expect(model?.golden).toEqual({ state: 'none' })
  })
})

test('golden outputs are written beside the model or elsewhere, and compared', async () => {
  const folder = folderWith((golden) => golden)
  const choice = { actor: topic, labeler: { kind: 'onnx', model: 'topic' } as const, baseFolder: folder }
  expect((await goldenCommand(choice)).golden.state).toBe('none')
  const beside = join(folder, 'topic/model.golden.json')
  expect((await goldenCommand({ ...choice, write: true })).written).toBe(beside)
  expect((await goldenCommand(choice)).golden).toMatchObject({ state: 'agrees', file: beside })
  const here = join(folder, 'here.json')
  await goldenCommand({ ...choice, out: here, tolerance: 0.5 })
  expect(compareGoldenFiles(beside, here)).toMatchObject({ differenceMax: 0, agrees: true, tolerance: 0.01 })
  expect(readGolden(here).tolerance).toBe(0.5)
  expect(compareGoldenFiles(join(fixtures, 'golden.json'), join(fixtures, 'golden.json'))).toBeUndefined()
  expect(() => compareGoldenFiles(beside, join(fixtures, 'golden.json'))).toThrow('only')
  const rules = { actor: { name: 'gate', subcategories: ['passed', 'failed'] }, labeler: { kind: 'rules' } as const }
  await expect(goldenCommand({ ...rules, baseFolder: '/' })).rejects.toMatchObject({ code: 'CONFIGURATION' })
})

test('the difference between two machines is measured in outputs and in classes', () => {
  const made = { provider: 'cpu', runtime: 'onnxruntime 1', instructions: 'x64 avx2' } as const
  const golden = (cases: Record<string, number[]>): Golden => ({
    format: 'winnow-golden/1',
    model: 'm',
    made,
    tolerance: 0.01,
    cases: Object.entries(cases).map(([text, outputs]) => ({ text, outputs })),
  })
  const first = golden({ a: [1, 2], b: [3, 1] })
  expect(compareGolden(first, golden({ b: [1, 1.5], a: [1, 2.25] }))).toMatchObject({
    texts: 2,
    differenceMax: 2,
    differenceMean: (0.25 + 2 + 0.5) / 4,
    furthest: 'b',
    otherClass: 1,
    agrees: false,
  })
  expect(compareGolden(first, golden({ a: [1, Number.NaN], b: [3, 1] })).agrees).toBe(false)
  expect(() => compareGolden(first, golden({ a: [1, 2] }))).toThrow('different texts')
  expect(() => compareGolden(first, { ...first, model: 'n' })).toThrow('two models')
})

test('the recorded instruction set is the one that kernels are chosen by', () => {
  expect(instructionsOf('x64', 'processor : 0\nflags\t\t: fpu sse2 avx avx2 fma avx512_vnni\nbugs : none\n')).toBe(
    'x64 avx avx2 fma avx512_vnni',
  )
  expect(instructionsOf('arm64', 'Features\t: fp asimd asimddp i8mm\n')).toBe('arm64 asimd asimddp i8mm')
  expect(instructionsOf('arm64', undefined)).toBe('arm64')
  expect(readFileSync(join(fixtures, 'topic/model_quantized.golden.json'), 'utf8')).toContain('avx512_vnni')
})
