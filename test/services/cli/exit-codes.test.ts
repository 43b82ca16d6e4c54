import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { winnow, winnowInside } from './winnow.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-cli-'))
const data = join(folder, 'data')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const run = (change: object = {}, selection: object = {}) =>
  JSON.stringify({
    name: 'r',
    selection: {
      seed: 1,
      actors: { topic: { subcategories: ['a', 'b'] } },
      budget: { documents: 10 },
      ...selection,
    },
    updateSteps: 1,
    steps: 2,
    labelers: { topic: 'v1' },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'k',
    ...change,
  })
const actors = (labeler: object) => JSON.stringify({ actors: { quality: { labeler } } })

/** One line, which begins with the code and says what to do. */
const oneLine = (stderr: string) => stderr.trimEnd().split('\n').length

test.each([
  ['no command', []],
  ['an unknown command', ['sttus']],
  ['an unknown option', ['status', '--nonsense']],
  ['an argument that is missing', ['explain']],
  ['a number that is none', ['demo', '--steps', 'many']],
  ['an id that is none', ['explain', 'abc']],
  ['ingest without a path', ['ingest']],
])('%s is a usage error: exit code 2', async (_what, args) => {
  expect((await winnowInside(args, folder)).code).toBe(2)
})

test.each(['--version', '-V'])('%s is answered with the version of the package', async (flag) => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  expect(await winnow([flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test('an unknown command is answered with the nearest one', async () => {
  const { code, stdout, stderr } = await winnow(['sttus'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toBe("winnow: USAGE: unknown command 'sttus'. (Did you mean status?) See 'winnow --help'.\n")
})

test.each([
  ['an unknown key', '{"nonsense": 1}', 'Unrecognized key: "nonsense"'],
  ['a count of 0', '{"corpus": {"partitions": 0}}', 'corpus.partitions: '],
  ['no YAML', 'actors: [ {', 'at line 1'],
  ['a model that is missing', actors({ kind: 'hashed', model: 'nowhere' }), 'nowhere/model.json: cannot be read'],
  ['an unknown kind of labeler', actors({ kind: 'psychic' }), 'actors.quality.labeler.kind: '],
  ['an unknown option of a labeler', actors({ kind: 'metadata', paths: 'x' }), 'Unrecognized key: "paths"'],
  ['an actor without subcategories', '{"actors": {"colour": {"labeler": {"kind": "metadata"}}}}', 'actors.colour.subc'],
])(
  'a configuration with %s ends dev with 3 and one line, before it has made anything',
  async (_what, content, part) => {
    const config = file('winnow-bad.yaml', content)
    const { code, stdout, stderr } = await winnow(['dev', '--config', config, '--data', data])
    expect({ code, stdout, lines: oneLine(stderr) }).toEqual({ code: 3, stdout: '', lines: 1 })
    expect(stderr).toContain(part)
    expect(stderr).toContain(folder)
    expect(existsSync(data)).toBe(false)
  },
)

test('dev also exits with 3, with nothing on standard output', async () => {
  const config = file('winnow-key.yaml', '{"nonsense": 1}')
  const { code, stdout, stderr } = await winnow(['dev', '--config', config, '--data', data])
  expect({ code, stdout, lines: oneLine(stderr) }).toEqual({ code: 3, stdout: '', lines: 1 })
})

test('a configuration with a missing model ends ingest with 3, before it starts a cluster', async () => {
  const config = file('winnow-model.yaml', actors({ kind: 'onnx', model: 'nowhere' }))
  const { code, stderr } = await winnow([
    'ingest',
    '--config',
    config,
    '--data',
    data,
    file('a.jsonl', '{"text":"a"}\n'),
  ])
  expect({ code, lines: oneLine(stderr) }).toEqual({ code: 3, lines: 1 })
  expect(existsSync(data)).toBe(false)
})

test('a configuration file that is named but missing is a configuration error', async () => {
  const { code, stderr } = await winnow(['status', '--config', join(folder, 'none.yaml')])
  expect(code).toBe(3)
  expect(stderr).toContain('none.yaml')
})

test.each([
  ['an unknown key', run({ nonsense: 1 }), 'Unrecognized key: "nonsense"'],
  ['a budget of 0', run({}, { budget: { documents: 0 } }), 'selection.budget'],
  [
    'weights of the wrong length',
    run({}, { actors: { topic: { subcategories: ['a', 'b'], initialWeights: [1] } } }),
    'selection.actors.topic.initialWeights',
  ],
  [
    'a weight that is no number',
    run({}, { actors: { topic: { subcategories: ['a'], initialWeights: ['x'] } } }),
    'selection.actors.topic.initialWeights',
  ],
  ['a labeler version that cannot be one', run({ labelers: { topic: 'no such!' } }), 'labelers.topic'],
])(
  'a run with %s is refused with 3, naming file and place, before anything is connected',
  async (_what, content, part) => {
    const path = file('run.yaml', content)
    const { code, stderr } = await winnowInside(['run', 'create', path, '--data', data], folder)
    expect({ code, lines: oneLine(stderr) }).toEqual({ code: 3, lines: 1 })
    expect(stderr).toContain(`${path}: `)
    expect(stderr).toContain(part)
  },
)

test('simulate refuses a budget of 0 with 3 and writes nothing', async () => {
  const config = file(
    'C.json',
    JSON.stringify({ seed: 1, actors: { a: { subcategories: ['x'] } }, budget: { documents: 0 } }),
  )
  const out = join(folder, 'out')
  const labels = file('L.jsonl', '')
  const { code, stderr } = await winnow([
    'simulate',
    '--labels',
    labels,
    '--rewards',
    labels,
    '--config',
    config,
    '--out',
    out,
  ])
  expect({ code, lines: oneLine(stderr) }).toEqual({ code: 3, lines: 1 })
  expect(stderr).toContain(`${config}: `)
  expect(existsSync(out)).toBe(false)
})

test('a missing cluster gives exit code 4, with the command that starts one', async () => {
  const { code, stderr } = await winnow(['status', '--data', data], {}, folder)
  expect({ code, lines: oneLine(stderr) }).toEqual({ code: 4, lines: 1 })
  expect(stderr).toContain('winnow dev')
})

test('named brokers that do not answer give exit code 4, and no others are started instead', async () => {
  const nobody = 'http://127.0.0.1:9'
  const env = { WINNOW_BROKERS: '127.0.0.1:9', WINNOW_REGISTRY_URL: nobody, WINNOW_CLICKHOUSE_URL: nobody }
  const { code, stderr } = await winnow(['ingest', file('b.jsonl', '{"text":"a"}\n'), '--data', data], env)
  expect({ code, lines: oneLine(stderr) }).toEqual({ code: 4, lines: 1 })
  expect(existsSync(data)).toBe(false)
})

test('brokers named without a registry are a configuration error', async () => {
  const { code, stderr } = await winnow(['status'], { WINNOW_BROKERS: '127.0.0.1:9' })
  expect(code).toBe(3)
  expect(stderr).toContain('WINNOW_REGISTRY_URL')
})
