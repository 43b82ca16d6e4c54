import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  allBlocks,
  type Block,
  blocksIn,
  commandsIn,
  documents,
  simpleCommands,
  winnowCommands,
} from '../support/documents.ts'
import { parts, refusal } from './command-line.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

/** What a command may need that tests do not have, from the table of CONTRIBUTING.md, "Commands in documents". */
const lacking = [...read('CONTRIBUTING.md').matchAll(/^\| `needs=(\w+)` +\|/gm)].map(([, name]) => name)
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** Languages that are run. */
const run = ['sh', 'sql']
const shown = ['json', 'mermaid', 'python', 'text', 'ts', 'yaml']

/** How a line of a terminal begins. */
const begins =
  /^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv\/bin\/)?(?:npx|winnow|npm|node|curl|docker|export|pip|python[\d.]*|sh|uv) /

/** What is wrong with how a block says that it is checked. */
function mistakes({ language, test, needs, text }: Block): string[] {
  if (!run.includes(language) && !shown.includes(language))
    return [`its language is '${language}': take one of ${[...run, ...shown].join(', ')}`]
  const command = text.split('\n').find((line) => begins.test(line.trim()))
  if (!run.includes(language) && command !== undefined) return [`'${command}' belongs in a block of sh`]
  if (!run.includes(language) && test === undefined && needs === undefined) return []
  if ((test === undefined) === (needs === undefined))
    return [
      'no test is said to run it: mark it with test=FOLDER/NAME or needs=WORD (CONTRIBUTING.md, "Commands in documents")',
    ]
  if (needs !== undefined)
    return lacking.includes(needs) ? [] : [`needs=${needs} is not in the table of CONTRIBUTING.md`]
  const file = `test/${test}.test.ts`
  if (!existsSync(join(root, file))) return [`there is no ${file}`]
  return read(file).includes(`blocksFor('${test}')`) ? [] : [`${file} does not call blocksFor('${test}')`]
}

/** What is wrong with a command as far as it can be seen without running it. */
async function refused(command: string): Promise<string[]> {
  const wrong: string[] = []
  for (const words of winnowCommands(command)) {
    const message = await refusal(words)
    if (message !== undefined) wrong.push(`winnow ${words.join(' ')}: ${message}`)
  }
  for (const words of simpleCommands(command)) {
    const script = words[0] === 'npm' && (words[1] === 'run' ? words[2] : /^(?:start|test)$/.exec(words[1] ?? '')?.[0])
    if (script && scripts[script] === undefined) wrong.push(`there is no npm script ${script}`)
    if (script === 'start' && words.includes('--')) {
      const message = await refusal(['demo', ...words.slice(words.indexOf('--') + 1)])
      if (message !== undefined) wrong.push(`${words.join(' ')}: ${message}`)
    }
    for (const word of words)
      if (/^(?:deploy|docs|node_modules|schemas|services|test|topologies)\/[\w./-]+\.\w+$/.test(word))
        if (!/NAME/.test(word) && !existsSync(join(root, word))) wrong.push(`there is no ${word}`)
  }
  return wrong
}

describe('commands in documents', () => {
  test('every block of commands names the test that runs it, or what it needs that tests do not have', () => {
    const wrong = allBlocks().flatMap((block) => mistakes(block).map((what) => `${block.file}:${block.line}: ${what}`))
    expect(wrong).toEqual([])
    expect(allBlocks().filter((block) => block.test !== undefined).length).toBeGreaterThan(20)
    expect(documents).toContain('docs/board/http-api.md')
  })

  test('no command stands in a block that is only indented', () => {
    const indented = documents.flatMap((file) => {
      const outside = blocksIn(file, read(file)).reduce((text, block) => text.replace(block.text, ''), read(file))
      return outside
        .split('\n')
        .filter((line) => /^(?: {4}|\t)/.test(line) && begins.test(line.trim()))
        .map((line) => `${file}: ${line}`)
    })
    expect(indented).toEqual([])
  })

  test('the command line takes each of them to its last word, and the scripts and files that they name exist', async () => {
    const wrong: string[] = []
    let checked = 0
    for (const { file, line, language, text } of allBlocks())
      if (language === 'sh')
        for (const command of commandsIn(text)) {
          checked++
          wrong.push(...(await refused(command)).map((what) => `${file}:${line}: ${what}`))
        }
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(60)
  })

  test('each command to be typed, npx winnow ..., within a sentence is one that a block has or a test runs with these options', () => {
    const run = new Set(
      allBlocks()
        .filter(({ language, test }) => language === 'sh' && test !== undefined)
        .flatMap(({ text }) => commandsIn(text).flatMap(winnowCommands))
        .map((words) => JSON.stringify(parts(words))),
    )
    const tests = globSync('test/{deploy,faults,integration,services}/**/*.test.ts', { cwd: root })
      // Arguments in an array as in a shell.
      .map((file) => read(file).replaceAll(/',\s*'/g, ' '))
    const isRun = ({ command, options }: ReturnType<typeof parts>): boolean =>
      tests.some((text) =>
        [...text.matchAll(new RegExp(`(?:'|\\bwinnow )${command}\\b[^'\n]*`, 'g'))].some(([args]) =>
          options.every((option) => args.split(' ').includes(option)),
        ),
      )
    const notRun: string[] = []
    let checked = 0
    for (const file of documents)
      for (const [, code] of read(file).matchAll(/(?<!`)`(npx winnow [a-z][^`\n]*)`(?!`)/g))
        for (const words of winnowCommands(code!.replaceAll('\\|', '|'))) {
          checked++
          const said = parts(words)
          if (!run.has(JSON.stringify(said)) && !isRun(said)) notRun.push(`${file}: ${code}`)
        }
    expect(notRun).toEqual([])
    expect(checked).toBeGreaterThan(50)
  })

  test('scripts, files and commands within sentences exist', async () => {
    const wrong: string[] = []
    let checked = 0
    for (const file of documents)
      for (const [, code] of read(file).matchAll(/(?<!`)`((?:npm (?:run|start|test)|npx|node) [^`\n]*)`(?!`)/g)) {
        checked++
        wrong.push(...(await refused(code!.replaceAll('\\|', '|'))).map((what) => `${file}: ${what}`))
      }
    expect(wrong).toEqual([])
    expect(checked).toBeGreaterThan(40)
  })

  test('every number in the table of the README names the command that measures it again, or the document that says how', () => {
    const [, table] = /^## Numbers\n(.*?)^## /ms.exec(read('README.md'))!
    const rows = [...table!.matchAll(/^\|(.*)\|$/gm)]
      .map(([, cells]) => cells!.split(' | ').map((cell) => cell.trim()))
      .slice(2)
    expect(rows.length).toBeGreaterThan(12)
    for (const [what, , how] of rows) expect(how, what).toMatch(/^`node test\/bench\/|^the same|\]\(\S+\.md\)/)
    expect(rows[0]![2]).not.toMatch(/^the same/)
  })

  test('whatever CONTRIBUTING.md says that commands may need, some command needs, and CI runs what needs a fresh clone', () => {
    const needed = new Set(allBlocks().map(({ needs }) => needs))
    expect(lacking.toSorted()).toEqual([...needed].filter((name) => name !== undefined).toSorted())
    const steps = scripts.verify!.split(' && ')
    if (existsSync(join(root, '.ci/run')))
      for (const step of ['npm ci', 'npm run --silent types', 'npm run --silent lint', 'npm test'])
        expect(read('.ci/run')).toContain(step)
    expect(steps).toEqual(['npm run types', 'npm run lint', 'npm test'])
  })

  test('every test that runs blocks is named by one', () => {
    const callers = globSync('test/**/*.test.ts', { cwd: root }).flatMap((file) =>
      [...read(file).matchAll(/\bblocksFor\('([^'$]+)'\)/g)].map(([, name]) => [file, name!] as const),
    )
    expect(callers.length).toBeGreaterThan(2)
    for (const [file, name] of callers) {
      expect(file).toBe(`test/${name}.test.ts`)
      expect(allBlocks().map((block) => block.test)).toContain(name)
    }
  })
})

describe('a block', () => {
  const block = (fence: string, text: string): Block => blocksIn('a.md', `${fence}\n${text}\n\`\`\`\n`)[0]!

  test.each([
    ['```sh', 'npx winnow status', 'no test is said to run it'],
    ['```sh test=integration/newcomer needs=packages', 'npx winnow status', 'no test is said to run it'],
    ['```', 'npx winnow status', "its language is ''"],
    ['```text', 'winnow status', "'winnow status' belongs in a block of sh"],
    ['```sh needs=luck', 'npx winnow status', 'needs=luck is not in the table'],
    ['```sh test=integration/nowhere', 'npx winnow status', 'nowhere.test.ts'],
    [`\`\`\`sh test=docs/${'rooms'}`, 'npx winnow status', 'does not call'],
  ])('with the fence %s and the command %s is refused', (fence, text, message) => {
    expect(mistakes(block(fence, text)).join()).toContain(message)
  })

  test('within a list loses its indentation, and one fence within another is text', () => {
    expect(
      blocksIn('a.md', '- so:\n\n  ```sh test=a/b\n  one \\\n    two\n  ```\n\n````text\n```sh\n```\n````\n'),
    ).toEqual([
      { file: 'a.md', line: 3, language: 'sh', test: 'a/b', needs: undefined, text: 'one \\\n  two\n' },
      { file: 'a.md', line: 8, language: 'text', test: undefined, needs: undefined, text: '```sh\n```\n' },
    ])
  })

  test('is cut into commands, with continued lines and here-documents whole', () => {
    const text = "# said\none # a\n\ntwo \\\n  more\ncat >> f <<'END'\na: b\n# c\nEND\nthree\n"
    expect(commandsIn(text)).toEqual(['one # a', 'two \\\n  more', "cat >> f <<'END'\na: b\n# c\nEND", 'three'])
  })
})

test.each([
  ["npx winnow gaps accept 'a b' # one argument", [['gaps', 'accept', 'a b']]],
  ['A=1 npx winnow status --json | jq .runs > out', [['status', '--json']]],
  ['cat x | winnow ingest --name part - && npx winnow top', [['ingest', '--name', 'part', '-'], ['top']]],
  ['npx winnow status \\\n  --json', [['status', '--json']]],
  ['echo winnow status', []],
])('a line of shell is read as a shell reads it: %s', (line, commands) => {
  expect(winnowCommands(line)).toEqual(commands)
})

test.each([
  ['npx winnow replay --rum first', "unknown option '--rum'"],
  ['npm run nothing', 'there is no npm script nothing'],
  ['npm start -- --stepps 5', "unknown option '--stepps'"],
  [`node test/bench/${'nothing'}.ts`, 'nothing.ts'],
])('a command that cannot work is found without running it: %s', async (command, message) => {
  expect((await refused(command)).join()).toContain(message)
})
