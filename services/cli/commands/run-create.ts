import type { Command } from 'commander'
import { type RunConfig, runConfigJson } from '../../../topologies/run-config.ts'
import { fitsOf, readCampaigns } from '../../campaigns/recorded.ts'
import { createCorpusTopics } from '../../connections/connections.ts'
import { isThere } from '../../host/decontamination.ts'
import { checkRun } from '../../runs/check/check.ts'
import type { Problem } from '../../runs/check/problem.ts'
import { addSetsOfRun } from '../../runs/eval-sets/of-run.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { recordIfAny, submitRun } from '../../runs/registry.ts'
import { completeRun, readRunFile } from '../../runs/run-file.ts'
import { namesCampaigns } from '../../runs/run-file-campaigns.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type CliContext, clusterCommand, example, print } from '../context.ts'
import { type ExampleOptions, exampleIn, withExampleOptions } from '../init/run-file.ts'

interface Options extends ExampleOptions {
  readonly example?: boolean
  readonly check: boolean
  readonly evalSets?: boolean
  readonly json?: boolean
}

export function create(context: CliContext): Command {
  const command = clusterCommand('create', 'records a run from a file; winnow run start runs it')
    .argument('[file]', 'run configuration, YAML or JSON (docs/run-yaml.md)')
    .option('--example', 'prints a file to start from, which works as it is, instead of recording one')
    .option('--no-check', 'record it without a look at model, references, checkpoints folder, labels and budget')
    .option(
      '--eval-sets',
      'its reward and evaluation samples are evaluation sets: no document that contains one is selected (default: where a process compares documents)',
    )
    .option('--no-eval-sets', 'they are none')
    .option('--json', 'what was recorded, as JSON')
    .addHelpText('after', example('winnow run create --example > run.yaml', 'winnow run create run.yaml'))
    .action(async (path: string | undefined, options: Options) => {
      if (options.example === true)
        return await print(context.stdout, await exampleIn(context, context.folder, options))
      if (path === undefined)
        throw new WinnowError('USAGE', 'which run: give its file', {
          hint: 'winnow init --run writes one to start from.',
        })
      const file = readRunFile(path, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      await createCorpusTopics(runtime.kafka, config)
      const versions = await labelerVersions(config)
      const fits = namesCampaigns(file) ? fitsOf(await readCampaigns(runtime)) : new Map()
      const run = completeRun(file, versions, fits)
      const known = await recordIfAny(runtime, run.name)
      if (options.check && known === undefined) {
        const configured = config.actors.map((actor) => ({ ...actor, version: versions.get(actor.name) }))
        refuse(context, run, await checkRun(runtime, run, configured))
      }
      // First, so that the first round waits for what they exclude.
      const asked = options.evalSets ?? run.reference.evalSets
      const byDefault = asked === undefined && known === undefined
      // Where nobody compares documents, sets would make every run wait.
      if (asked ?? (byDefault && (await isThere(runtime)) === true)) {
        const added = await addSetsOfRun(runtime, run)
        if (added.length > 0) context.stderr.write(`evaluation sets: ${added.join(', ')}\n`)
      } else if (byDefault) context.stderr.write(noSets(path))
      await submitRun(runtime, run)
      await print(context.stdout, options.json ? `${runConfigJson(run)}\n` : `${run.name}\n`)
      const next = `npx winnow run start ${run.name}`
      context.stderr.write(
        `recorded; next: ${next} (not where 'winnow dev' or 'winnow up --all-runs' runs: they run it)\n`,
      )
    })
  return withExampleOptions(command, '--example')
}

const noSets = (path: string): string =>
  `its reward and evaluation samples are no evaluation sets, since nobody compares documents with sets now; once winnow up or winnow run decontamination runs: winnow run create ${path} --eval-sets\n`

/** A recorded run cannot be changed, so it is checked first. @throws WinnowError CONFIGURATION after a line for each problem */
function refuse({ stderr }: CliContext, run: RunConfig, found: readonly Problem[]): void {
  for (const { what, mend, isWarning } of found) stderr.write(`- ${isWarning ? 'Warning: ' : ''}${what}. ${mend}\n`)
  const problems = found.filter(({ isWarning }) => isWarning !== true)
  if (problems.length === 0) return
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  throw new WinnowError('CONFIGURATION', `run ${run.name} is not recorded: ${count}, told above`, {
    hint: 'Mend the file and create it again, or record it as it is with --no-check.',
  })
}
