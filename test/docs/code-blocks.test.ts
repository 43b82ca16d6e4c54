import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { refusal } from './command-line.ts'

const root = join(import.meta.dirname, '../..')
const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('{docs,services}/**/*.md', { cwd: root })].filter(
  (file) => !file.includes('node_modules'),
)

/** Lines of shell in a document, each continued line with what continues it. */
const shellLines = (markdown: string): string[] =>
  [...markdown.matchAll(/^```(?:sh|bash|shell|console)?\n(.*?)^```$/gms)].flatMap(([, text]) =>
    text!.replaceAll(/\\\n\s*/g, ' ').split('\n'),
  )

/** The words after `winnow` of every command of a line of shell, as a shell splits them. */
function winnowCommands(line: string): string[][] {
  const words: string[] = []
  // What may be left out stands between brackets. Then: quoted text, an operator, a comment, or a bare word.
  for (const [token] of line
    .replaceAll(/\[(-[^\]]*)\]/g, '$1')
    .matchAll(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"|&;<>()#]|(?<=\S)#)+|[|&;()]+|[<>]+|#.*$/g)) {
    if (token.startsWith('#')) break
    words.push(token)
  }
  const commands: string[][] = [[]]
  for (let i = 0; i < words.length; i++) {
    if (/^[|&;()]+$/.test(words[i]!)) commands.push([])
    // The file of a redirection is no argument.
    else if (/^[<>]+$/.test(words[i]!)) i++
    else commands.at(-1)!.push(words[i]!.replaceAll(/^'|'$|(?<!=)"|^"/g, ''))
  }
  return commands.flatMap((command) => {
    const at = command.indexOf('winnow')
    const before = command.slice(0, at)
    const isRun = at >= 0 && before.every((word) => word === 'npx' || /^[A-Z_]+=/.test(word))
    return isRun ? [command.slice(at + 1)] : []
  })
}

test('every command in a code block of a document is one that the command line takes, to its last word', async () => {
  const wrong: string[] = []
  let checked = 0
  for (const file of documents)
    for (const line of shellLines(readFileSync(join(root, file), 'utf8')))
      for (const words of winnowCommands(line)) {
        checked++
        const message = await refusal(words)
        if (message !== undefined) wrong.push(`${file}: winnow ${words.join(' ')}: ${message}`)
      }
  expect(wrong).toEqual([])
  expect(checked).toBeGreaterThan(40)
})

test.each([
  ["npx winnow gaps accept 'a b' # one argument", [['gaps', 'accept', 'a b']]],
  ['A=1 npx winnow status --json | jq .runs > out', [['status', '--json']]],
  ['cat x | winnow ingest --name part - && npx winnow top', [['ingest', '--name', 'part', '-'], ['top']]],
  ['echo winnow status', []],
])('a line of shell is read as a shell reads it: %s', (line, commands) => {
  expect(winnowCommands(line)).toEqual(commands)
})
