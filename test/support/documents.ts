import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Every document with commands, from the root of the repository. */
export const documents: readonly string[] = globSync(
  ['README.md', 'CONTRIBUTING.md', '{docs,services,topologies,schemas,deploy,test}/**/*.md'],
  { cwd: root, exclude: (name) => /node_modules|^deploy\/demo\/corpus/.test(name) },
).toSorted()

/** A fenced code block. Its fence says how it is checked: ```sh test=integration/newcomer, or ```sh needs=packages (CONTRIBUTING.md). */
export interface Block {
  readonly file: string
  /** Of the fence, from 1. */
  readonly line: number
  /** The first word after the fence; empty if there is none. */
  readonly language: string
  readonly test: string | undefined
  readonly needs: string | undefined
  readonly text: string
}

export function blocksIn(file: string, markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { fence: string; indent: number; block: Omit<Block, 'text'>; lines: string[] } | undefined
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent, fence, info] = /^( *)(`{3,}|~{3,})(.*)$/.exec(line) ?? []
    if (open === undefined) {
      if (fence === undefined) continue
      const [language = '', ...words] = info!.trim().split(/\s+/)
      const attributes = new Map(words.map((word) => word.split('=', 2) as [string, string]))
      const block = { file, line: index + 1, language, test: attributes.get('test'), needs: attributes.get('needs') }
      open = { fence, indent: indent!.length, block, lines: [] }
    } else if (fence?.startsWith(open.fence) && info!.trim() === '') {
      blocks.push({ ...open.block, text: `${open.lines.join('\n')}\n` })
      open = undefined
    } else open.lines.push(line.slice(Math.min(open.indent, line.search(/\S|$/))))
  }
  return blocks
}

export const allBlocks = (): Block[] =>
  documents.flatMap((file) => blocksIn(file, readFileSync(join(root, file), 'utf8')))

/** The blocks that a test of this name (its file, from test/, without .test.ts) has to run: all of them, as they stand there. */
export const blocksFor = (test: string): Block[] => allBlocks().filter((block) => block.test === test)

/** The commands of a block of shell: a line each, with the lines that continue it and the text of a here-document. */
export function commandsIn(text: string): string[] {
  const commands: string[] = []
  let command = ''
  let end: string | undefined
  for (const line of text.split('\n')) {
    command += command === '' ? line : `\n${line}`
    end ??= /<<-? *['"]?(\w+)/.exec(line)?.[1]
    if (end === undefined ? line.endsWith('\\') : line.trim() !== end) continue
    if (!/^\s*(#.*)?$/.test(command)) commands.push(command)
    command = ''
    end = undefined
  }
  return command === '' ? commands : [...commands, command]
}

/** The words of every simple command of a line of shell, as a shell splits them; redirections and comments are left out. */
export function simpleCommands(line: string): string[][] {
  const words: string[] = []
  // What may be left out stands between brackets. Then: quoted text, an operator, a comment, or a bare word.
  for (const [token] of line
    .replaceAll(/\\\n\s*/g, ' ')
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
  return commands
}

/** What follows `winnow` in every command of a line of shell. */
export const winnowCommands = (line: string): string[][] =>
  simpleCommands(line).flatMap((command) => {
    const at = command.indexOf('winnow')
    const before = command.slice(0, at)
    const isRun = at >= 0 && before.every((word) => word === 'npx' || /^[A-Z_]+=/.test(word))
    return isRun ? [command.slice(at + 1)] : []
  })
