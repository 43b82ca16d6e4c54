import { secret, storesIn } from './s3-stores.ts'

storesIn({
  name: 'minio',
  start: (data, port) => ({
    args: ['server', data, '--address', `127.0.0.1:${port}`, '--quiet'],
    login: { MINIO_ROOT_USER: 'winnow', MINIO_ROOT_PASSWORD: secret, MINIO_BROWSER: 'off' },
  }),
  health: '/minio/health/live',
})
