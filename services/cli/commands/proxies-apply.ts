import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { campaignNamed, fitsOf, readCampaigns } from '../../campaigns/recorded.ts'
import { labelerVersions } from '../../runs/label-progress.ts'
import { recordIfAny } from '../../runs/registry.ts'
import { completeRun, readRunFile } from '../../runs/run-file.ts'
import { withInitialWeights } from '../../runs/run-file-weights.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { hardlyOrders } from './proxies-fit.ts'

interface Options extends GlobalOptions {
  readonly out?: string
  readonly keepFirstSelection?: boolean
  readonly json?: boolean
}

export const applying = (context: CliContext): Command =>
  clusterCommand('apply', "writes a campaign's weights into a run's file: the run begins with them")
    .argument('<campaign>', 'a campaign that has been fitted')
    .argument('[file]', "the run's file", 'run.yaml')
    .option('--out <file>', 'write another file, and leave this one')
    .option(
      '--keep-first-selection',
      'leave selection.firstSelection alone; else it becomes weights, so that round 0 shows them',
    )
    .option('--json', 'the actor and its weights as JSON')
    .addHelpText(
      'after',
      `${example('winnow proxies apply first-domain', 'winnow proxies apply first-domain run.yaml --out fitted.yaml')}
The file gets selection.actors.ACTOR.initialWeights: {from: CAMPAIGN}; 'winnow run create' records the numbers.
`,
    )
    .action(async (name: string, path: string, options: Options) => {
      const file = resolve(context.folder, path)
      const out = resolve(context.folder, options.out ?? path)
      if (dirname(out) !== dirname(file)) {
        throw new WinnowError('USAGE', '--out must be beside the file', {
          hint: "Paths in a run's file are relative to its folder.",
        })
      }
      readRunFile(file, context.folder)
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const { plan, fit } = await campaignNamed(runtime, name)
      const { actor } = plan
      if (fit === undefined) {
        throw new WinnowError('BAD_DATA', `campaign ${name} has no fit; nothing is applied`, {
          hint: `Train its proxies (winnow proxies run ${name}), then fit them: winnow proxies fit ${name}.`,
        })
      }
      const keepsFirst = options.keepFirstSelection === true
      const text = withInitialWeights(readFileSync(file, 'utf8'), { actor, campaign: name, keepsFirst })
      const given = parse(text, { merge: true })
      const run = completeRun({ file, given }, await labelerVersions(config), fitsOf(await readCampaigns(runtime)))
      writeFileSync(out, text)
      const { subcategories } = run.selection.actors.find((one) => one.name === actor)!
      const rows = subcategories.map((one, at) => [one, formatFixed(fit.weights[at], 4)])
      const columns = [{ title: actor }, { title: 'initial weight', number: true }]
      const shown = { campaign: name, actor, file: out, weights: fit.weights, inputs: fit.inputs }
      await print(
        context.stdout,
        options.json ? `${json(shown)}\n` : `${table(columns, rows, { width: widthOf(context.stdout) })}\n`,
      )
      if (hardlyOrders(fit))
        context.stderr.write('the fit hardly orders mixtures that it has not seen (winnow proxies list)\n')
      const known = await recordIfAny(runtime, run.name)
      const written = options.out ?? path
      const next =
        known === undefined
          ? `next: npx winnow run create ${written}`
          : `run ${run.name} is recorded already and never changes: give the file another name, then npx winnow run create ${written}`
      context.stderr.write(`written to ${out}; ${next}\n`)
    })
