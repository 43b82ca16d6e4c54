import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { exitCodes } from '../../services/runtime/errors.ts'
import { runDocumented } from '../support/documented.ts'
import { blocksFor } from '../support/documents.ts'
import { type Running, shellIn, signalGroup } from '../support/shell.ts'

const root = join(import.meta.dirname, '../..')

/** The files that documents name without saying how to get them. */
function writeFiles(folder: string): void {
  const document = (docId: string, label: number) => ({ docId, tokens: 10, labels: { a: label } })
  const reward = { round: 1, actor: 'a', docId: '2', reward: 0.5 }
  const files = {
    'L.jsonl': [document('1', 0), document('2', 1), document('3', 1)],
    'R.jsonl': [reward],
    'P.jsonl': [{ round: 1, read: 2 }],
    'C.json': [{ seed: 7, actors: { a: { subcategories: ['x', 'y'] } }, budget: { documents: 2 } }],
    'other.yaml': [{ update: 'additive' }],
  }
  for (const [name, lines] of Object.entries(files))
    writeFileSync(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
}

test('the demo starts as the README says, and every command that documents give for it works while it runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-documented-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const cwd = join(folder, 'work')
  mkdirSync(cwd)
  writeFiles(cwd)
  const shell = shellIn(folder, { WINNOW_DATA: join(folder, 'data') })
  const running: Running[] = []
  onTestFinished(() => {
    for (const one of running) signalGroup(one, 'SIGKILL')
  })
  const said = new Map<string, string>()
  const [demo] = await runDocumented(blocksFor('integration/documented-demo'), {
    ...{ shell, cwd },
    given: () => [
      // npm ci made this checkout. Two rounds and few documents, where more only take longer.
      ['npm ci && npm start', `npm --prefix ${root} start -- --steps 2`],
      ['round=3', 'round=1'],
      ['trained 8 ', 'trained 1 '],
      ['validate --run multi-actor-7 --limit 60', 'validate --run multi-actor-7 --limit 4'],
      ['validate --run multi-actor-7 ', 'validate --run multi-actor-7 --limit 3 '],
      ['http://127.0.0.1:7077', /board: (\S+)/.exec(running[0]?.said.text ?? '')?.[1] ?? 'http://127.0.0.1:7077'],
      ['curl ', 'curl --fail --silent --show-error '],
    ],
    treatments: [
      { of: 'npm ci && npm start', stays: 'serving until Ctrl-C' },
      { of: 'npx winnow tail', serves: '"round":0' },
    ],
    started: (one) => running.push(one),
    said: (command, text) => said.set(command.replace(/ +#.*/, ''), text),
  })
  const json = async (command: string) => {
    const { ended, said } = shell(`${command} 2>/dev/null`, cwd)
    expect([await ended, command]).toEqual([exitCodes.ok, command])
    return JSON.parse(said.text)
  }
  const whatOf = ({ explanations }: { explanations: unknown }) => explanations
  const live = {
    explained: whatOf(await json('npx winnow explain 5 --run multi-actor-7 --json')),
    evaluated: await json('npx winnow evaluate multi-actor-7 --on next-round --json'),
  }
  // npm hands the signal on and dies of it itself; what it started keeps its pipes until it has drained.
  signalGroup(demo!, 'SIGINT')
  await demo!.ended
  expect(await shell('npx winnow status', cwd).ended).toBe(exitCodes.unreachable)
  const archived = 'archive:multi-actor-7.archive'
  expect(whatOf(await json(`npx winnow explain 5 --run ${archived} --json`))).toEqual(live.explained)
  expect(await json(`npx winnow evaluate ${archived} --on next-round --json`)).toEqual(live.evaluated)

  expect(demo!.said.text).toMatch(/multi-actor-7 +round 1 selected 1505 documents/)
  const outputs: [string, string | RegExp][] = [
    ['npx winnow status', /multi-actor-7/],
    ['npx winnow replay --run multi-actor-7', 'are the same to the bit'],
    ['npx winnow replay --run archive:multi-actor-7.archive', 'are the same to the bit'],
    ['npx winnow topology --mermaid', 'flowchart LR'],
    ['npx winnow top', 'multi-actor-7'],
    ['curl http://127.0.0.1:7077/api/snapshot', '"multi-actor-7"'],
  ]
  for (const [command, part] of outputs) expect(said.get(command)).toMatch(part)
  expect(readdirSync(cwd)).toEqual(expect.arrayContaining(['result', 'DIR']))
}, 420_000)
