import { Command } from 'commander'
import { type ConfigValue, configOrigins } from '../../config/origins.ts'
import { json } from '../../runtime/json.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

export function config(context: CliContext): Command {
  const command = new Command('config').description(summaries.config)
  command.addCommand(
    clusterCommand('show', 'every value and its origin: flag, environment, file or default; secrets are masked')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        example('winnow config show', 'winnow config show --json | jq \'.[] | select(.origin != "default")\''),
      )
      .action(async ({ config: file, data, json: asJson }: GlobalOptions & { json?: boolean }) => {
        const values = configOrigins({
          env: context.env,
          folder: context.folder,
          ...(file !== undefined && { file }),
          ...(data !== undefined && { dataFolder: data }),
        })
        if (asJson) return await print(context.stdout, `${json(values)}\n`)
        // Keys are never broken: on a narrow terminal the columns beside them give way.
        const columns = [{ title: 'key', whole: true }, { title: 'value' }, { title: 'from' }]
        const rows = values.map((one) => [one.path, inWords(one.value), from(one)])
        await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) ?? widthInFiles })}\n`)
      }),
  )
  return command
}

/** A list may be longer than anybody reads in one line. */
const widthInFiles = 120

const from = ({ origin, by }: ConfigValue): string => (by === undefined ? origin : `${origin} ${by}`)

function inWords(value: unknown): string {
  if (value === null) return '–'
  if (Array.isArray(value)) return value.length === 0 ? '–' : value.join(', ')
  return String(value)
}
