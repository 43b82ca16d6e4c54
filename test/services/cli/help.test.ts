import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { deployCommands } from '../../../deploy/commands.ts'
import type { CliContext } from '../../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../../services/cli/program.ts'
import { summaries } from '../../../services/cli/summaries.ts'

/** Help touches nothing of it but standard error. */
const written: string[] = []
const context = { env: {}, stderr: { write: (text: string) => void written.push(text) } } as unknown as CliContext
const program = () => buildProgram(context, deployCommands)

function* leaves(command: Command, path: string[] = []): Generator<{ path: string; command: Command }> {
  if (command.commands.length === 0) yield { path: path.join(' '), command }
  for (const child of command.commands) yield* leaves(child, [...path, child.name()])
}

const help = (command: Command): string => {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp()
  return text
}

test.each([...leaves(await program())])("the help of '$path' shows an example", ({ path, command }) => {
  const text = help(command)
  const [, examples] = text.split('Example:')
  expect(examples).toContain(path === 'demo' ? 'npm start' : `winnow ${path}`)
})

/** What serves until a signal and tells nothing, and what tells a story or writes a script. */
const withoutData = (path: string): boolean =>
  ['labeler', 'label-sink', 'decontamination', 'duplicates', 'start', 'stations', 'influence', 'trainer'].some(
    (name) => path === `run ${name}`,
  ) || ['demo', 'completion'].includes(path)

test.each([...leaves(await program())].filter(({ path }) => !withoutData(path)))(
  "'$path' has its data as JSON",
  ({ command }) => {
    expect(command.options.map(({ long }) => long)).toContain('--json')
  },
)

test('the help of the program names every command and every exit code', async () => {
  const text = help(await program())
  for (const { path } of leaves(await program())) expect(text).toContain(path.split(' ')[0])
  for (const code of [0, 1, 2, 3, 4, 5, 6, 130]) expect(text).toMatch(new RegExp(`\\b${code} [a-z]`))
})

test('the help of the program is the same whether its commands are loaded or not', async () => {
  const text = help(await program())
  expect(help(await buildProgram(context, deployCommands, ['--help']))).toBe(text)
  expect(text).toContain(summaries.doctor.slice(0, 30))
})

test('only the called command is loaded, and completion sees them all', async () => {
  const options = async (args: string[], name: string) =>
    (await buildProgram(context, deployCommands, args)).commands.find((one) => one.name() === name)!.options.length
  expect(await options(['status', '--json'], 'status')).toBeGreaterThan(0)
  expect(await options(['status', '--json'], 'top')).toBe(0)
  expect(await options(['completion', 'bash'], 'top')).toBeGreaterThan(0)
  expect(await options(['help', 'top'], 'top')).toBeGreaterThan(0)
})

test('asking for help is not an error; leaving out the command is', async () => {
  const quiet = await program()
  for (const { command } of leaves(quiet)) command.configureOutput({ writeOut: () => {} })
  quiet.configureOutput({ writeOut: () => {}, writeErr: () => {} })
  expect(await runProgram(quiet, ['status', '--help'])).toBe(0)
  expect(await runProgram(quiet, [])).toBe(2)
})
