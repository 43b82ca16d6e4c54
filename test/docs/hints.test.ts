import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { program, refusal } from './command-line.ts'

const root = join(import.meta.dirname, '../..')
const names = (await program()).commands.map((command) => command.name())

/** What may follow `winnow` in a sentence about it. Another word is a command, or a command that does not exist. */
const spoken = new Set(
  `a an and are as asks at because brings by cannot checks chooses computes consumes does for from has if is it its itself keeps knows
  names program
  may means must needs never none on or promises reads refuses root round runs says selects serves shows starts stands still that then
  they to used was when where which who will with without wrote writes looks takes prints finds them it's in can sets makes made`.split(
    /\s+/,
  ),
)

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    // Texts of the demo's corpus and libraries of others speak of other things.
    if (entry.isDirectory() && !['node_modules', 'vendor', 'corpus'].includes(entry.name)) yield* files(path)
    else if (/\.(ts|m?js|py|md|html|ya?ml)$/.test(entry.name)) yield path
  }
}

/** Every mention of `winnow word ...` as far as it can be a command. */
function* mentions(text: string): Generator<string[]> {
  for (const { 1: before, 2: rest } of text.matchAll(/(npx |['"`>(]|^|[\s:])(?:npx )?winnow ((?!\{)[a-z][^\n]*)/g)) {
    // It ends at its quote, at what a shell reads otherwise, at a comment, or where its sentence has a mark.
    const quote = before !== undefined && /['"`]/.test(before) ? before : '[\'"`]'
    const end = new RegExp(
      `${quote}|</|[|<>;)\\\\]|&&| #|  | \\(|,(?!\\w)|[.:?](\\s|$|["'])| \\[|\\$\\(|—|\\u2026| \\.\\.\\.|$`,
    )
    const said = (rest as string).slice(0, end.exec(rest as string)?.index)
    const words = said.trim().split(/\s+/)
    const prose = words.findIndex((word, i) => i > 0 && spoken.has(word))
    yield prose === -1 ? words : words.slice(0, prose)
  }
}

const places = [
  ...['services', 'deploy', 'topologies', 'schemas', 'docs', 'examples'].flatMap((folder) => {
    try {
      return [...files(join(root, folder))]
    } catch {
      return []
    }
  }),
  ...['README.md', 'CONTRIBUTING.md'].map((name) => join(root, name)),
]

test('every command named in a hint, a help text or a document exists, with its arguments and options', async () => {
  const wrong: string[] = []
  let checked = 0
  for (const file of places) {
    for (const words of mentions(readFileSync(file, 'utf8'))) {
      const [first = ''] = words
      if (!names.includes(first) && spoken.has(first)) continue
      checked++
      const message = await refusal(words)
      if (message !== undefined) wrong.push(`${relative(root, file)}: winnow ${words.join(' ')}: ${message}`)
    }
  }
  expect(wrong).toEqual([])
  expect(checked).toBeGreaterThan(150)
})

test.each([
  ['Create the topics first: winnow topics create.', 'too many arguments'],
  ["Start one with 'npx winnow start'.", 'unknown command'],
  ['See `winnow status --runs`.', 'unknown option'],
  ['Look with winnow dead-letter list', 'unknown command'],
])('a wrong command is found: %s', async (text, part) => {
  const [words] = [...mentions(text)]
  expect(await refusal(words as string[])).toContain(part)
})
