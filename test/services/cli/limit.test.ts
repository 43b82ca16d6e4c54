import { Command } from 'commander'
import { expect, test } from 'vitest'
import { deployCommands } from '../../../deploy/commands.ts'
import { type CliContext, withLimit } from '../../../services/cli/context.ts'
import { buildProgram } from '../../../services/cli/program.ts'

const context = { env: {}, stderr: { write: () => true } } as unknown as CliContext

/** What a command's action would be given. */
async function optionsOf(path: string, ...args: string[]): Promise<Record<string, unknown>> {
  let command = await buildProgram(context, deployCommands)
  for (const name of path.split(' ')) command = command.commands.find((one) => one.name() === name)!
  let given: Record<string, unknown> = {}
  command.action(() => {
    given = command.opts()
  })
  await command.parseAsync(args, { from: 'user' })
  return given
}

test.each([
  ['tail', 'lines', ['documents']],
  ['select', 'documents', ['--run', 'r']],
  ['influence validate', 'documents', ['--run', 'r']],
])("'%s' takes a count by -n and --limit, and still by --%s", async (path, before, args) => {
  expect(await optionsOf(path, ...args, '-n', '7')).toMatchObject({ limit: 7 })
  expect(await optionsOf(path, ...args, '--limit', '8')).toMatchObject({ limit: 8 })
  expect(await optionsOf(path, ...args, `--${before}`, '9')).toMatchObject({ [before]: 9 })
})

test('the action receives the count as limit, also under the option’s old name', async () => {
  const given: unknown[] = []
  for (const args of [[], ['-n', '7'], ['--lines', '9']]) {
    const command = withLimit(new Command('x'), 'lines', 'how many', Number, 10).action(
      ({ limit }) => void given.push(limit),
    )
    await command.parseAsync(args, { from: 'user' })
  }
  expect(given).toEqual([10, 7, 9])
})
