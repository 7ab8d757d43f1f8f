import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, it } from "@effect/vitest"
import { Export, type Progress } from "@reelay/contracts/Export"
import { ExportId, newId, UserId, VideoId } from "@reelay/contracts/Ids"
import { DateTime, Effect, Layer, Schema } from "effect"
import { createServer } from "node:http"
import { clientOf } from "../src/client/Api.ts"
import { Connection } from "../src/client/Connection.ts"
import { follow } from "../src/client/Follow.ts"
import { Failure } from "../src/Failure.ts"

const id = newId(ExportId)
const now = DateTime.makeUnsafe("2026-11-20T10:00:00Z")
const waiting: Progress = {
  epoch: 0,
  status: "pending",
  percent: 0,
  stage: "queued",
  message: "Number 2 in the queue",
  queuePosition: 2,
  framesDone: 0,
  framesTotal: 300,
  speed: null,
  elapsedSeconds: 0,
  etaSeconds: null
}
const row = (over: Partial<Export>): Export =>
  new Export({
    id,
    userId: UserId.make("local"),
    projectId: null,
    videoId: newId(VideoId),
    segments: null,
    type: "framing",
    delivery: "combined",
    settings: Schema.decodeSync(Export.fields.settings)({}),
    priority: "normal",
    duration: 10,
    frames: 300,
    epoch: 0,
    status: "pending",
    queuePosition: 2,
    progress: null,
    encoder: null,
    outputs: [],
    error: null,
    warnings: [],
    createdAt: now,
    startedAt: null,
    updatedAt: now,
    completedAt: null,
    ...over
  })

/** An api that knows one export, a step further each time it is asked for. */
const serving = (steps: ReadonlyArray<Export>) => {
  const left = steps.map((step) => Schema.encodeSync(Export)(step))
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(request.url?.endsWith("/progress") === true ? waiting : left.shift()))
  })
  return Effect.acquireRelease(
    Effect.promise(async () => {
      await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready))
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`
    }),
    () => Effect.sync(() => server.close())
  )
}

it.live("an export that waits is told of by its place, until it runs and ends", () =>
  Effect.gen(function* () {
    const running: Progress = { ...waiting, epoch: 1, status: "processing", stage: "encoding", percent: 40 }
    const url = yield* serving([
      row({}),
      row({ status: "processing", epoch: 1, queuePosition: null, progress: running }),
      row({ status: "cancelled", epoch: 1, queuePosition: null, completedAt: now })
    ])
    const api = yield* clientOf(url)
    const failed = (error: unknown) => new Failure({ message: String(error) })
    const connection = Layer.succeed(Connection)({
      open: Effect.succeed({ url, started: false }),
      call: (use) => use({ api, url }).pipe(Effect.mapError(failed)),
      once: (use) => use({ api, url }).pipe(Effect.mapError(failed))
    })
    const told: Array<string> = []
    const ended = yield* follow(id, ({ message, percent }) =>
      Effect.sync(() => void told.push(`${percent} ${message}`))
    ).pipe(Effect.provide(connection))
    assert.strictEqual(ended.status, "cancelled")
    assert.deepStrictEqual(told, ["0 Number 2 in the queue", `40 ${running.message}`])
  }).pipe(Effect.provide(NodeHttpClient.layerUndici))
)
