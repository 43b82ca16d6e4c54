import { writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { parseConfigWith } from '../../../topologies/selection/config.ts'
import { configSchema } from '../../config/config.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, print } from '../context.ts'
import {
  type Answers,
  type ClickHouseLogin,
  configurationText,
  defaultAnswers,
  questions,
} from '../init/configuration.ts'
import { refuseExisting } from '../init/existing.ts'
import { type ExampleOptions, withExampleOptions, writeExample } from '../init/run-file.ts'
import { summaries } from '../summaries.ts'

interface Options extends Partial<Answers>, ClickHouseLogin, ExampleOptions {
  readonly run?: boolean
  readonly out?: string
  readonly yes?: boolean
  readonly force?: boolean
  readonly json?: boolean
}

const schemaFile = fileURLToPath(new URL('../../../docs/winnow.schema.json', import.meta.url))

export function init(context: CliContext): Command {
  const command = clusterCommand('init', summaries.init)
    .option('--run', 'a run.yaml instead, which works as it is on the corpus that has been ingested')
    .option('--out <file>', 'where to write it (default: winnow.yaml; with --run run.yaml)')
    .option('--yes', 'ask nothing: use defaults where no option is given')
    .option('--force', 'replace an existing file')
    .option('--brokers <addresses>', questions.brokers.what)
    .option('--registry <url>', questions.registry.what)
    .option('--clickhouse <url>', questions.clickhouse.what)
    .option('--username <user>', 'who logs in to ClickHouse; its password is in WINNOW_CLICKHOUSE_PASSWORD')
    .option('--database <name>', "ClickHouse's database, which is made where it is missing (default: the user's own)")
    .option('--partitions <n>', questions.partitions.what)
    .option('--json', 'the name of the file, as JSON')
    .addHelpText(
      'after',
      example(
        'winnow init',
        'winnow init --yes --brokers broker-1:9092 --registry http://registry:8081 --clickhouse http://clickhouse:8123',
        'winnow init --run && winnow run create run.yaml',
        'winnow init --run --control --out control.yaml',
      ),
    )
    .action(async (options: Options) => {
      if (options.run === true) {
        const file = await writeExample(context, options)
        await print(context.stdout, options.json ? `${json({ file })}\n` : `${file}\n`)
        context.stderr.write(`next: npx winnow run create ${relative(context.folder, file)}\n`)
        return
      }
      const file = resolve(context.folder, options.out ?? 'winnow.yaml')
      refuseExisting(file, options.force)
      if (options.yes !== true && !context.stdin.isTTY) {
        throw new WinnowError('USAGE', 'there is no terminal to ask on', {
          hint: 'Give --yes, and options for what has no default.',
        })
      }
      refuseOptions(options)
      const answers = options.yes === true ? { ...defaultAnswers, ...options } : await ask(context, options)
      const schema = relative(context.folder, schemaFile)
      const { username, database } = options
      const login = { ...(username !== undefined && { username }), ...(database !== undefined && { database }) }
      const text = configurationText({ ...answers, ...login }, schema.startsWith('..') ? schemaFile : schema)
      // Checked as any configuration is, before it is written.
      parseConfigWith(configSchema, parse(text))
      writeFileSync(file, text)
      if (options.json) return await print(context.stdout, `${json({ file })}\n`)
      const next = answers.brokers === '' ? 'npx winnow dev' : 'npx winnow doctor'
      await print(context.stdout, `${file}\n`)
      context.stderr.write(`written; to see the effective values: npx winnow config show; next: ${next}\n`)
    })
  return withExampleOptions(command, '--run')
}

const names = Object.keys(questions) as (keyof Answers)[]

/** What is given as an option must be an answer as well. @throws WinnowError USAGE */
function refuseOptions(options: Options): void {
  for (const name of names) {
    const problem = options[name] === undefined ? undefined : questions[name].refuse(options[name])
    if (problem !== undefined) throw new WinnowError('USAGE', `--${name} ${options[name]}: ${problem}`)
  }
}

/** Asks on standard error, so that standard output stays data; an empty line takes the default. @throws WinnowError INTERRUPTED */
async function ask({ stdin, stderr }: CliContext, given: Options): Promise<Answers> {
  const terminal = createInterface({ input: stdin, output: stderr, terminal: stdin.isTTY })
  const ended = new Promise<never>((_, reject) => {
    terminal.once('SIGINT', () => terminal.close())
    terminal.once('close', () => reject(new WinnowError('INTERRUPTED', 'interrupted; nothing was written')))
  })
  const answers: { -readonly [K in keyof Answers]: string } = { ...defaultAnswers }
  const answered = async (name: keyof Answers): Promise<string> => {
    const { what, refuse } = questions[name]
    const fallback = answers[name]
    for (;;) {
      const question = `${what}${fallback === '' ? '' : ` [${fallback}]`}: `
      const answer = (await Promise.race([terminal.question(question), ended])).trim()
      const problem = answer === '' ? undefined : refuse(answer)
      if (problem === undefined) return answer === '' ? fallback : answer
      stderr.write(`  ${problem}\n`)
    }
  }
  try {
    for (const name of names) {
      const known = given[name]
      if (known !== undefined) answers[name] = known
      else if (questions[name].wanted?.(answers) !== false) answers[name] = await answered(name)
    }
    return answers
  } finally {
    ended.catch(() => {})
    terminal.close()
  }
}
