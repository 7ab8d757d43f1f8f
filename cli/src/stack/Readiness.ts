import { Effect, Schedule, Schema } from "effect"

/** What keeps the stack from accepting and running exports; null when nothing does. */
export type Obstacle = string | null

const Detail = Schema.Struct({ detail: Schema.String })
const TIMEOUT_MILLIS = 3000
const LOOK_EVERY_MILLIS = 50

/** One look at `/health/ready`. */
export const obstacleOf = (url: string): Effect.Effect<Obstacle> =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(`${url}/health/ready`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MILLIS)])
    })
    const body: unknown = await response.json().catch(() => null)
    return response.ok ? null : { status: response.status, body }
  }).pipe(
    Effect.map((answer) =>
      answer === null ? null : Schema.is(Detail)(answer.body) ? answer.body.detail : `the api answers ${answer.status}`
    ),
    Effect.orElseSucceed(() => "the api does not answer yet")
  )

/** Returns when exports can be accepted and run. */
export const readinessOf = (url: string): Effect.Effect<void> =>
  obstacleOf(url).pipe(
    Effect.repeat({ schedule: Schedule.spaced(LOOK_EVERY_MILLIS), until: (obstacle) => obstacle === null }),
    Effect.asVoid
  )
