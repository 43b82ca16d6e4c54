import { spawnSync } from 'node:child_process'
import { pbkdf2Sync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Place, registryOf } from './registries.ts'

const python = process.env.WINNOW_TEST_KARAPACE ?? 'python3'
const found = spawnSync(python, ['-c', 'import karapace.__main__'], { stdio: 'ignore' }).status === 0

/** One user, who may do everything. */
function authorization({ folder, username, password }: Place): string {
  const file = join(folder, 'authorization.json')
  const salt = 'salt'
  const hash = pbkdf2Sync(password, salt, 5000, 32, 'sha256').toString('base64')
  writeFileSync(
    file,
    JSON.stringify({
      users: [{ username, algorithm: 'sha256', salt, password_hash: hash }],
      permissions: [{ username, operation: 'Write', resource: '.*' }],
    }),
  )
  return file
}

registryOf({
  name: 'Karapace',
  product: 'Karapace',
  missing: found ? undefined : `${python} has no karapace: WINNOW_TEST_KARAPACE names a Python that has`,
  start: (at) => ({
    command: [python, '-m', 'karapace'],
    env: {
      KARAPACE_KARAPACE_REGISTRY: 'true',
      KARAPACE_HOST: '127.0.0.1',
      KARAPACE_PORT: `${at.port}`,
      KARAPACE_ADVERTISED_HOSTNAME: '127.0.0.1',
      KARAPACE_BOOTSTRAP_URI: at.broker,
      KARAPACE_REGISTRY_AUTHFILE: authorization(at),
      KARAPACE_LOG_LEVEL: 'WARNING',
    },
  }),
})
