import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { acls } from '../../../deploy/acls/command.ts'
import { demo } from '../../../deploy/demo/command.ts'
import { dev } from '../../../deploy/dev/command.ts'
import { doctor } from '../../../deploy/doctor/command.ts'
import type { CliContext } from '../../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../../services/cli/program.ts'

/** Help touches nothing of it but standard error. */
const written: string[] = []
const context = { env: {}, stderr: { write: (text: string) => void written.push(text) } } as unknown as CliContext
const program = () => buildProgram(context, [dev(context), demo(context), acls(context), doctor(context)])

function* leaves(command: Command, path: string[] = []): Generator<{ path: string; command: Command }> {
  if (command.commands.length === 0) yield { path: path.join(' '), command }
  for (const child of command.commands) yield* leaves(child, [...path, child.name()])
}

const help = (command: Command): string => {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp()
  return text
}

test.each([...leaves(program())])("the help of '$path' has an example of it", ({ path, command }) => {
  const text = help(command)
  const [, examples] = text.split('Example:')
  expect(examples).toContain(path === 'demo' ? 'npm start' : `winnow ${path}`)
})

/** What serves until a signal and tells nothing, and what tells a story or writes a script. */
const withoutData = (path: string): boolean =>
  (path.startsWith('run ') && !['run create', 'run list'].includes(path)) || ['demo', 'completion'].includes(path)

test.each([...leaves(program())].filter(({ path }) => !withoutData(path)))(
  "'$path' has its data as JSON",
  ({ command }) => {
    expect(command.options.map(({ long }) => long)).toContain('--json')
  },
)

test('the help of the program names every command and every exit code', () => {
  const text = help(program())
  for (const { path } of leaves(program())) expect(text).toContain(path.split(' ')[0])
  for (const code of [0, 1, 2, 3, 4, 5, 6, 130]) expect(text).toMatch(new RegExp(`\\b${code} [a-z]`))
})

test('asking for help is no error, and leaving a command out is', async () => {
  const quiet = program()
  for (const { command } of leaves(quiet)) command.configureOutput({ writeOut: () => {} })
  quiet.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  expect(await runProgram(quiet, ['status', '--help'])).toBe(0)
  expect(await runProgram(quiet, [])).toBe(2)
})
