/**
 * onnxruntime's builds report to Microsoft unless this is set before the library is loaded: names and hashes of models, the machine, an id
 * that they keep on disk (https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md). Its threads read the environment of the
 * process, not that of a Node worker, so it is set in the main thread. Nobody can turn it on again: docs/what-leaves-the-machine.md.
 */
export function switchOffTelemetry(env: NodeJS.ProcessEnv = process.env): void {
  env.ORT_DISABLE_TELEMETRY = '1'
}
