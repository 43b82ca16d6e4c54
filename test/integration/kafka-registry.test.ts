import { inject } from 'vitest'
import { registryContract } from '../support/registry-contract.ts'

registryContract(() => inject('registryUrl'))
