import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const model = join(root, 'services/model/shipped/llama-64x2')
// Switched off, and on a build machine, onnxruntime keeps quiet by itself.
const quieting = ['ORT_DISABLE_TELEMETRY', 'ORT_RUNNING_UNIT_TESTS', 'CI', 'TF_BUILD', 'GITHUB_ACTIONS']

/** Runs a program that nothing keeps from reporting, and gives the files of onnxruntime that it leaves in its home. */
function leftBy(program: string, around: readonly string[] = []): string[] {
  const home = mkdtempSync(join(tmpdir(), 'winnow-home-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, XDG_CACHE_HOME: join(home, 'cache') }
  for (const name of quieting) delete env[name]
  const script = join(home, 'script.mjs')
  writeFileSync(
    script,
    `import { createRequire } from 'node:module'\nconst require = createRequire('${root}')\n${program}`,
  )
  const [command, ...args] = [...around, process.execPath, script]
  const { status, stderr } = spawnSync(command!, args, { env, cwd: root, encoding: 'utf8', timeout: 60_000 })
  expect(status, stderr).toBe(0)
  return readdirSync(home, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('onnxruntime'))
}

test('onnxruntime as winnow runs it sends no telemetry: it creates neither a device id nor a queue of events', () => {
  const training = `
    const { openModel } = require('./services/model/model.ts')
    const { createTrainer } = require('./services/model/trainer.ts')
    const model = await openModel({ graphs: ${JSON.stringify(model)} })
    const trainer = await createTrainer(model, { start: { seed: '1' }, batch: 1, context: 8, learningRate: 0.1, warmupSteps: 0, totalSteps: 2, weightDecay: 0 })
    const { loss } = await trainer.step(new Int32Array(9).fill(3))
    if (!(loss > 0)) throw new Error('has not trained')
    await trainer.close()
    await model.close()`
  expect(leftBy(training)).toEqual([])
})

const apart = ['unshare', '--user', '--map-root-user', '--net']
const canBeApart = spawnSync(apart[0]!, [...apart.slice(1), 'true']).status === 0
const title = `the same library by itself does, here without a network${canBeApart ? '' : ' (skipped: no unshare --net)'}`

test.skipIf(!canBeApart)(title, () => {
  const loading = `
    const { InferenceSession } = require('onnxruntime-node')
    await InferenceSession.create(${JSON.stringify(join(model, 'loss.onnx'))})`
  expect(leftBy(loading, apart)).toContainEqual(expect.stringMatching(/deviceid$/))
})
