import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { winnow } from './winnow.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-completion-'))
const script = (shell: string) => join(folder, `winnow.${shell}`)

beforeAll(async () => {
  mkdirSync(join(folder, 'corpus'))
  for (const name of ['corpus/part one.jsonl', 'run.yaml']) writeFileSync(join(folder, name), '')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await winnow(['completion', shell])
    expect(code).toBe(0)
    writeFileSync(script(shell), stdout)
  }
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const installed = (shell: string) => spawnSync(shell, ['--version']).status === 0

/** What a shell offers after a command line, in the folder with run.yaml and corpus/. */
const offers: Record<string, (line: string) => string[]> = {
  bash: (line) => {
    const words = line.split(' ')
    const program = `source ${script('bash')}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
      COMP_CWORD=${words.length - 1}; _winnow; printf '%s\\n' "\${COMPREPLY[@]}"`
    return lines(execFileSync('bash', ['--norc', '-c', program], { cwd: folder, encoding: 'utf8' }))
  },
  // zsh completes only where a person types: a shell on a pseudo-terminal is given a tab, and lists what it would insert.
  zsh: (line) => {
    const program = `zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'PS1=; autoload -Uz compinit; compinit -D -u; source ${script('zsh')}; LISTMAX=10000; zstyle ":completion:*" list-separator "##"; bindkey "^X" list-choices; stty columns 300 rows 200; zle-line-init() { print REA"DY" }; zle -N zle-line-init'
      while zpty -r shell got; do [[ $got == *READY* ]] && break; done
      zpty -w -n shell ${JSON.stringify(line)}$'\\C-x\\C-u'
      zpty -w shell 'print DO"NE"'
      all=; while zpty -r shell got; do all+=$got; [[ $got == *DONE* ]] && break; done
      print -r -- "$all"; zpty -d shell`
    const shown = execFileSync('zsh', ['-f', '-c', program], { cwd: folder, encoding: 'utf8' })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's own
    const text = shown.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]|\u001b[=>]|[\u0007\r]/g, '\n')
    return lines(text).flatMap((shownLine) =>
      shownLine.includes('##') ? [shownLine.split('##')[0]!.trim()] : shownLine.split(/ {2,}/),
    )
  },
  fish: (line) => {
    const program = `source ${script('fish')}; complete -C ${JSON.stringify(line)}`
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder }
    return lines(execFileSync('fish', ['--no-config', '-c', program], { cwd: folder, encoding: 'utf8', env })).map(
      (offered) => offered.split('\t')[0]!,
    )
  },
}
const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

for (const [shell, offered] of Object.entries(offers)) {
  describe.skipIf(!installed(shell))(`in ${shell}${installed(shell) ? '' : ' (skipped: it is not installed)'}`, () => {
    test('commands and subcommands are completed', () => {
      expect(offered('winnow ')).toEqual(expect.arrayContaining(['dev', 'ingest', 'run', 'status', 'completion']))
      expect(offered('winnow run ')).toEqual(expect.arrayContaining(['labeler', 'label-sink', 'create', 'list']))
      expect(offered('winnow run ')).not.toContain('status')
    })

    test('options are completed for their command', () => {
      const options = offered('winnow status --')
      expect(options).toEqual(expect.arrayContaining(['--config', '--json', '--help']))
      expect(options).not.toContain('--actor')
      expect(offered('winnow run labeler --')).toContain('--actor')
    })

    test('file names, and nothing else, are offered where a file is expected, also as an option’s value', () => {
      expect(offered('winnow run create ')).toContain('run.yaml')
      expect(offered('winnow status --config ')).toContain('run.yaml')
      expect(offered('winnow status ')).not.toContain('run.yaml')
    })

    test('choices are offered where an option has fixed choices', () => {
      expect(offered('winnow completion ')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']))
      expect(offered('winnow completion ')).not.toContain('run.yaml')
    })
  })
}
