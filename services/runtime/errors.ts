export { type ErrorCode, errorCodes, exitCodes, WinnowError } from '../../topologies/errors.ts'
