import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { timedAll } from "./Figures.ts"

const WORKERS = 50
// Its log lines would be half of its work.
const logger = new Logger(() => () => {})

/** Empty jobs through graphile-worker, on the same Postgres: added by calls of its library, done in this process. */
export const openGraphile = async (connectionString: string, concurrency: number) => {
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  const add = (count: number) => timedAll(count, concurrency, (i) => utils.addJob("nothing", { i }))
  const work = async (count: number) => {
    let done = 0
    const finished = Promise.withResolvers<void>()
    const nothing = async () => {
      if (++done === count) finished.resolve()
    }
    const runner = await run({ connectionString, logger, concurrency: WORKERS, taskList: { nothing } })
    return { finished: finished.promise, stop: () => runner.stop() }
  }
  return {
    add,
    /** Works off what was added; how to end the worker, which is no part of it. */
    drain: async (count: number) => {
      const worker = await work(count)
      await worker.finished
      return worker.stop
    },
    /** A worker that waits: adds while it works, and returns when all is done. */
    both: async (count: number) => {
      const worker = await work(count)
      return {
        run: () => add(count).then(() => worker.finished),
        stop: worker.stop
      }
    },
    close: () => utils.release()
  }
}
