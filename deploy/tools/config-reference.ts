import { configSchema } from '../../services/config/config.ts'
import { environment } from '../../services/config/environment.ts'
import { type ConfigField, fieldsOf, jsonSchemaOf } from '../../services/config/fields.ts'
import { runFileSchema } from '../../topologies/run-config.ts'
import { presets } from '../../topologies/selection/presets.ts'
import { resolveStrategy } from '../../topologies/selection/strategy-config.ts'

const variables = new Map(Object.entries(environment).map(([variable, place]) => [place as string, variable]))

const winnowIntroduction = `# winnow.yaml

The configuration of every command: \`winnow.yaml\` in the working folder, or the file given by \`--config\`. Each value comes from the first
of flag, environment variable, file and default that has it; \`winnow config show\` says which. \`winnow init\` writes a file to start from.

For completion in your editor, begin the file with

\`\`\`yaml
# yaml-language-server: $schema=PATH-OR-URL/docs/winnow.schema.json
\`\`\``

const runIntroduction = `# run.yaml

What \`winnow run create FILE\` records: with the streams, all that is needed to repeat the run. It never changes afterwards.
\`winnow init --run\` writes one to start from, with comments, which works as it is on the corpus that has been ingested.

For completion in your editor, begin the file with

\`\`\`yaml
# yaml-language-server: $schema=PATH-OR-URL/docs/run.schema.json
\`\`\``

const generated = '<!-- Written by deploy/tools/publish-config-reference.ts from the schemas; a test compares. -->'

/** The reference of the configuration files and their JSON Schemas, by their file names in docs/. */
export function configReference(): Record<string, string> {
  const winnow = { title: 'winnow.yaml', ...jsonSchemaOf(configSchema) }
  const run = { title: 'run.yaml', ...jsonSchemaOf(runFileSchema) }
  return {
    'winnow-yaml.md': page(winnowIntroduction, fieldsOf(winnow), true),
    'run-yaml.md': page(runIntroduction, fieldsOf(run), false),
    'strategies.md': strategiesPage(),
    'winnow.schema.json': `${JSON.stringify(winnow, null, 2)}\n`,
    'run.schema.json': `${JSON.stringify(run, null, 2)}\n`,
  }
}

const strategiesIntroduction = `# Strategies

A strategy says how a round selects. It has four parts ([SELECTION.md](SELECTION.md), "Strategies"): a pool, a score, a mixture and a sampler.
\`selection.strategy\` in [run.yaml](run-yaml.md) gives them, or names one of the methods below, or names one and changes parts of it:

\`\`\`yaml
selection:
  strategy: { preset: qurating-edu, sampler: { kind: gumbel, temperature: 1 } }
sampleDocuments: 0 # no rewards are requested
\`\`\`

A run records the parts, not the name. All strategies use the same corpus, labels and streams, can be replayed to the bit, and are compared by \`winnow compare\`.
\`winnow strategies\` lists them, \`winnow strategies show NAME\` prints one. G is the noise of the Gumbel sampler, N a model's parameters, T the corpus's tokens.
[labelers.md](labelers.md), "Labelers for strategies", has the labelers that they need. Of 10^7 documents on two cores, a tenth by Gumbel over their scores took 1.4 to
1.8 s, from the decision to the last id: 0.6 to 0.8 of the time by Gumbel over the scores of cells, and 6 times that of the best cells without noise
(\`node test/bench/strategies.ts\` measures it).`

function strategiesPage(): string {
  const sections = presets.map(({ name, summary, beside, needs, source, formula, divergence, cost }) => {
    const { pool, score, mixture, sampler } = resolveStrategy(name)
    const lines = [
      ['Pool', pool.length === 0 ? 'everything' : code(JSON.stringify(pool))],
      ['Score', code(JSON.stringify(score))],
      ['Mixture', mixture === undefined ? 'none' : code(JSON.stringify(mixture))],
      ['Sampler', code(JSON.stringify(sampler))],
      ...(beside === undefined ? [] : [['Beside', `in \`selection\`, ${code(JSON.stringify(beside))}`]]),
      ...Object.entries(needs).map(([actor, what]) => ['Needs', `actor ${code(actor)}; ${what}`]),
      ['Source', source],
      ['Formula', formula],
      ...(divergence === undefined ? [] : [['Differs', divergence]]),
      ['Cost', cost],
    ]
    return `## ${name}\n\n${summary[0]!.toUpperCase()}${summary.slice(1)}.\n\n${lines.map(([title, text]) => `- ${title}: ${text}`).join('\n')}`
  })
  return `${strategiesIntroduction}\n\n${generated.replace('the schemas', 'topologies/selection/presets.ts')}\n\n${sections.join('\n\n')}\n`
}

function page(introduction: string, fields: readonly ConfigField[], withVariables: boolean): string {
  const title = ['key', 'what', 'value', 'default', ...(withVariables ? ['environment'] : [])]
  const rows = fields.map((field) => [
    `\`${field.path}\``,
    field.description,
    field.type,
    defaultOf(field),
    ...(withVariables ? [code(variables.get(field.path))] : []),
  ])
  return `${introduction}\n\n${generated}\n\n${markdownTable([title, ...rows.map((cells) => cells.map(escaped))])}\n`
}

/** With aligned columns, as the formatter requires. */
function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((cells) => cells[i]!.length)))
  const [title, ...rest] = rows.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i]!)))
  return [title!, widths.map((width) => '-'.repeat(width)), ...rest]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

function defaultOf({ default: value, required, section }: ConfigField): string {
  if (required) return 'required'
  return value === undefined || section ? '' : code(JSON.stringify(value))
}

const code = (text: string | undefined): string => (text === undefined ? '' : `\`${text}\``)
const escaped = (cell: string): string => cell.replaceAll('|', '\\|')
