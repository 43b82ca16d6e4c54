import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { cliOn } from '../support/cli.ts'
import { openWorld } from './loop-world.ts'

test('a run of one’s own: an example that is written works as it is', async () => {
  const world = await openWorld(90)
  const { runtime, config, folder, versions } = world
  const winnow = cliOn(runtime, config, folder)

  // An example, and a control, with no file but those the commands write.
  const written = await winnow('init', '--run', '--name', 'mine')
  expect(written).toMatchObject({ code: 0, stdout: `${join(folder, 'run.yaml')}\n` })
  expect(await winnow('init', '--run')).toMatchObject({ code: 3 })
  expect((await winnow('init', '--run', '--control', '--name', 'control', '--out', 'control.yaml')).code).toBe(0)
  const printed = await winnow('run', 'create', '--example')
  expect(parse(printed.stdout)).toMatchObject({
    name: 'first',
    labelers: versions,
    selection: { budget: { documents: 22 } },
  })

  for (const [file, name] of [
    ['run.yaml', 'mine'],
    ['control.yaml', 'control'],
  ] as const)
    expect(await winnow('run', 'create', file)).toMatchObject({ code: 0, stdout: `${name}\n` })
  writeFileSync(join(folder, 'example.yaml'), printed.stdout)
  expect(await winnow('run', 'create', 'example.yaml')).toMatchObject({ code: 0, stdout: 'first\n' })

  const corpus = JSON.parse((await winnow('labeler', 'versions', '--corpus', '--json')).stdout)
  expect(corpus).toEqual(
    config.actors.map(({ name }) => ({ actor: name, version: versions[name], inForce: true, documents: 90 })),
  )
})
