import { assert, layer } from "@effect/vitest"
import type { TaskResult } from "@reelay/contracts/messages/Messages"
import { Effect, type Scope } from "effect"
import { execa } from "execa"
import { join } from "node:path"
import { Infra } from "@reelay/platform/testing/Infra"
import { aPlan, aSource, doneBy, failure, Farm, nextResult, startEncoder, tasksOf } from "./support/Farm.ts"
import { type Does, standIn } from "./support/StandIn.ts"

/** An encoder whose hardware is a stand-in: how work with devices goes on when they do not. */

/** A node with NVENC, and chunks for it: of plain clips, which may stay on the device. */
const aNode = Effect.fn("aNode")(function* (does: Does, clips: number, stallSeconds = 30) {
  const farm = yield* Farm
  const { become, ffmpeg } = yield* standIn({ nvenc: does })
  const settings = { ffmpeg, forceSoftware: false, families: ["nvenc"], stallSeconds } as const
  const { capabilities } = yield* startEncoder(settings)
  const source = yield* aSource({ silent: true, colors: "bt709" })
  const plan = yield* aPlan({
    source,
    clips: Array.from({ length: clips }, (_, n) => ({ start: 0.4 * n, end: 0.4 * (n + 1) })),
    build: capabilities.build,
    family: "nvenc"
  })
  const chunks = tasksOf(plan, "chunk")
  assert.lengthOf(chunks, clips)
  const make = Effect.fnUntraced(function* (n: number) {
    const [task] = chunks.slice(n)
    if (task === undefined) throw new Error("there is no such chunk")
    yield* farm.dispatch(plan, task)
    return yield* nextResult
  })
  const state = Effect.map(capabilities.families, (families) => families[0]?.state)
  return { become: (does: Does) => become({ nvenc: does }), capabilities, chunks, make, plan, state }
})

/** Digests of the frames of a made chunk. */
const framesOf = Effect.fnUntraced(function* (result: TaskResult) {
  const { store } = yield* Infra
  const path = join(store, doneBy(result).manifest.files[0]?.object ?? "")
  const read = yield* Effect.promise(() => execa("ffmpeg", ["-v", "error", "-i", path, "-f", "framemd5", "-"]))
  return read.stdout
    .split("\n")
    .filter((line) => line.startsWith("0,"))
    .map((line) => line.split(",").at(-1)?.trim())
})

const alone = <A, E>(test: Effect.Effect<A, E, Farm | Infra | Scope.Scope>) => Effect.scoped(test)

layer(Farm.layer, { excludeTestServices: true, timeout: "60 seconds" })("hardware, by a stand-in", (it) => {
  it.effect(
    "sessions or memory that are taken are waited for; a device that breaks fails the task, and is taken out",
    () =>
      alone(
        Effect.gen(function* () {
          const { become, make, state } = yield* aNode("works", 2)
          for (const [n, does] of (["busy", "memory"] as const).entries()) {
            yield* become(does)
            const waits = yield* make(n).pipe(Effect.timeoutOption("1 second"))
            assert.strictEqual(waits._tag, "None")
            assert.strictEqual(yield* state, "ok")
            if (does === "busy") {
              yield* become("works")
              assert.strictEqual(doneBy(yield* nextResult).manifest.family, "nvenc")
            }
          }
          yield* become("broken")
          const broken = failure(yield* nextResult)
          assert.deepStrictEqual(
            [broken.kind, broken.message],
            ["encoder", "The video encoder of this node does not work."]
          )
          while ((yield* state) !== "broken") yield* Effect.sleep("20 millis")
        })
      )
  )

  it.effect("what the device cannot decode is encoded from memory, as many frames, and not tried again", () =>
    alone(
      Effect.gen(function* () {
        const { become, capabilities, make, plan } = yield* aNode("works", 3)
        const kept = capabilities.keepsOnDevice("nvenc", plan.spec.sources[0]?.sha256 ?? "")
        const onDevice = yield* framesOf(yield* make(0))
        assert.lengthOf(onDevice, 10)
        assert.isTrue(yield* kept)
        yield* become("undecodable")
        assert.lengthOf(yield* framesOf(yield* make(1)), 10)
        assert.isFalse(yield* kept)
        assert.lengthOf(yield* framesOf(yield* make(2)), 10)
      })
    )
  )

  it.effect("one that dies in the middle of its work is the encoder's fault", () =>
    alone(
      Effect.gen(function* () {
        const { make, state } = yield* aNode("crash", 1)
        const died = failure(yield* make(0))
        assert.deepStrictEqual([died.kind, died.message], ["encoder", "The video encoder of this node does not work."])
        // It passes its probe, so it is believed once more.
        assert.strictEqual(yield* state, "ok")
      })
    )
  )

  it.effect("one that hangs is stopped", () =>
    alone(
      Effect.gen(function* () {
        const { make } = yield* aNode("hang", 1, 2)
        const hung = failure(yield* make(0))
        assert.deepStrictEqual([hung.kind, hung.message], ["timeout", "The encoder stopped making progress."])
      })
    )
  )
})
