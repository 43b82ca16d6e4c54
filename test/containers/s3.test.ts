import { secret, storesIn } from './s3-stores.ts'

storesIn({
  name: 'versitygw',
  start: (data, port) => ({
    args: ['--port', `127.0.0.1:${port}`, '--health', '/health', 'posix', data],
    login: { ROOT_ACCESS_KEY: 'winnow', ROOT_SECRET_KEY: secret },
  }),
  health: '/health',
})
