import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

/** In a process of its own, as if none of the optional libraries were installed. */
const program = `
import { registerHooks } from 'node:module'
registerHooks({
  resolve(name, context, next) {
    if (!/^@(aws-sdk|google-cloud|huggingface)\\//.test(name)) return next(name, context)
    throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' })
  },
})
const { readCheckpoint } = await import('${root}/services/model/checkpoints/read.ts')
const { checkCheckpoints } = await import('${root}/services/runs/check/check.ts')
const { prepareReading, prepareWriting } = await import('${root}/services/runtime/stores/open-store.ts')
const failed = async (work) => await work.then(() => null, ({ code, message, hint }) => ({ code, message, hint }))
const description = JSON.parse(process.argv[1])
const digest = '0'.repeat(64)
console.log(JSON.stringify({
  s3: await failed(readCheckpoint({ path: 's3://bucket/a.safetensors', digest }, description, 'weights', new Map())),
  index: await failed(readCheckpoint({ path: 'gs://bucket/a.safetensors.index.json', digest }, description, 'weights', new Map())),
  worker: await failed(prepareReading('hf://owner/name/a')),
  trainer: await failed(prepareWriting('s3://bucket/runs')),
  folder: await failed(prepareWriting('/runs')),
  run: await checkCheckpoints({ name: 'mine', checkpoints: 'gs://bucket/runs' }),
}))`

test('a library that is missing is named with its version when a run is recorded, a worker starts or a checkpoint is read, and is not waited for', async () => {
  const args = ['--input-type=module', '-e', program, JSON.stringify({ parameters: [] })]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const missing = (name: string) => ({
    code: 'CONFIGURATION',
    message: `${name} is not installed, which reads this kind of address`,
    hint: expect.stringMatching(new RegExp(`^install it: npm install --no-save ${name}@[0-9.]+$`)),
  })
  expect(JSON.parse(stdout)).toEqual({
    s3: missing('@aws-sdk/client-s3'),
    index: missing('@google-cloud/storage'),
    worker: missing('@huggingface/hub'),
    trainer: missing('@aws-sdk/client-s3'),
    folder: null,
    run: [
      {
        what: 'checkpoints: @google-cloud/storage is not installed, which reads this kind of address',
        mend: expect.stringMatching(/^Install it: npm install --no-save @google-cloud\/storage@[0-9.]+\.$/),
      },
    ],
  })
})
