#!/usr/bin/env node
// Runs the command line under the project's own Node 24, which runs TypeScript directly, even if started by an older Node.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Types are stripped once, not at each start: about half of what a short command takes. In the user's own folder, since what is there is run.
  // NODE_COMPILE_CACHE names another; NODE_DISABLE_COMPILE_CACHE=1 does without.
  const { cachesFolder } = await import('./dev/caches.ts')
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE || join(cachesFolder(process.env), 'compiled'))
  await import('./main.ts')
} else {
  const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
  if (!existsSync(node)) {
    process.stderr.write(`winnow needs Node 24 (this is ${process.version}): run 'npm ci' in the project's folder\n`)
    process.exit(3)
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal's Ctrl-C also reaches the child, which treats the two signals as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}
