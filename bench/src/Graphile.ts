import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { timedAll } from "./Figures.ts"

/** Jobs a second: added while nobody works, worked off afterwards, and both at once. */
export interface Rates {
  readonly accepted: number
  readonly drained: number
  readonly whole: number
}

const WORKERS = 50
// Its log lines would be half of its work.
const logger = new Logger(() => () => {})

/** The same number of empty jobs through graphile-worker, on the same Postgres. */
export const graphile = async (url: string, count: number, concurrency: number): Promise<Rates> => {
  const utils = await makeWorkerUtils({ connectionString: url, logger })
  await utils.migrate()
  const add = () => timedAll(count, concurrency, (i) => utils.addJob("nothing", { i }))
  const work = async () => {
    let done = 0
    const finished = Promise.withResolvers<void>()
    const nothing = async () => {
      if (++done === count) finished.resolve()
    }
    const runner = await run({ connectionString: url, logger, concurrency: WORKERS, taskList: { nothing } })
    return { finished: finished.promise, stop: () => runner.stop() }
  }
  const rateSince = (begun: number) => (count * 1000) / (performance.now() - begun)

  let begun = performance.now()
  await add()
  const accepted = rateSince(begun)
  begun = performance.now()
  let worker = await work()
  await worker.finished
  const drained = rateSince(begun)
  await worker.stop()

  worker = await work()
  begun = performance.now()
  await add()
  await worker.finished
  const whole = rateSince(begun)
  await worker.stop()
  await utils.release()
  return { accepted, drained, whole }
}
