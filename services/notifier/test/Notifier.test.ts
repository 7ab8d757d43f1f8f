import { assert, layer } from "@effect/vitest"
import { ExportId, newId, UserId } from "@reelay/contracts/Ids"
import { exportProgress, queueOrder } from "@reelay/contracts/messages/Messages"
import { LOCAL_USER } from "@reelay/platform/Auth"
import { Effect, Queue } from "effect"
import { aProgress, connectTo, Lab, next, quiet, stateOf } from "./NotifierLab.ts"

const me = LOCAL_USER
const other = UserId.make("somebody-else")
const ALL = { type: "subscribe", exports: "all" }

layer(Lab.layerWith({ REELAY_AUTH: "local" }), { excludeTestServices: true })("the notifier", (it) => {
  it.effect("shows what is there, then every change, with cursors", () =>
    Effect.gen(function*() {
      const lab = yield* Lab
      const mine = yield* lab.anExport(me)
      const theirs = yield* lab.anExport(other)
      const client = yield* connectTo(lab.url)
      client.send(ALL)
      const snapshot = yield* next(client, "snapshot")
      const ids = snapshot.exports.map(({ id }) => id)
      assert.include(ids, mine)
      assert.notInclude(ids, theirs)
      assert.strictEqual(snapshot.exports.find(({ id }) => id === mine)?.status, "pending")

      yield* lab.happen(other, theirs, "processing")
      yield* lab.happen(me, mine, "processing")
      const first = yield* next(client, "state")
      assert.deepStrictEqual(stateOf(first), [mine, "processing", 1])
      assert.notStrictEqual(first.cursor, snapshot.cursor)
      yield* lab.happen(me, mine, "completed")
      const second = yield* next(client, "state")
      assert.deepStrictEqual(stateOf(second), [mine, "completed", 1])
      assert.strictEqual(second.export.outputs[0]?.frames, 250)
      assert.notStrictEqual(second.cursor, first.cursor)
    }))
})
void Queue
void newId
void ExportId
void exportProgress
void queueOrder
void aProgress
void quiet
