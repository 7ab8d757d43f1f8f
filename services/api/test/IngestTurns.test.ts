import { assert, describe, it } from "@effect/vitest"
import { UserId } from "@reelay/contracts/Ids"
import { Deferred, Effect, Fiber } from "effect"
import fc from "fast-check"
import { readdir } from "node:fs/promises"
import { request } from "node:http"
import { isProblem, until } from "./Answers.ts"
import { bearer, JWT, startApi } from "./ApiUnderTest.ts"
import { complete } from "./FarmWork.ts"
import { TinyClips } from "./TinyClips.ts"
import { IngestTurns, limitsFor, nextOf } from "../src/ingest/IngestTurns.ts"

const [ann, bob, eve] = [UserId.make("ann"), UserId.make("bob"), UserId.make("eve")]

describe("whose turn is next", () => {
  const limits = limitsFor(3)
  it("who has fewest, then who came first; nobody beyond the limits", () => {
    assert.strictEqual(nextOf([ann, bob], new Map(), limits), 0)
    assert.strictEqual(nextOf([ann, ann, bob], new Map([[ann, 1]]), limits), 2)
    assert.strictEqual(nextOf([ann], new Map([[ann, 2]]), limits), -1)
    assert.strictEqual(nextOf([bob], new Map([[ann, 2]]), limits), 0)
    assert.strictEqual(
      nextOf(
        [bob],
        new Map([
          [ann, 2],
          [eve, 1]
        ]),
        limits
      ),
      -1
    )
  })
  it("a machine of one core still serves", () => {
    assert.strictEqual(nextOf([ann], new Map(), limitsFor(1)), 0)
    assert.strictEqual(nextOf([bob], new Map([[ann, 1]]), limitsFor(1)), -1)
  })
  it("whoever waits: never one too many, and no turn stays empty while somebody may have it", () => {
    const users = fc.constantFrom(ann, bob, eve)
    fc.assert(
      fc.property(fc.array(users, { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), (arriving, turns) => {
        const bounds = limitsFor(turns)
        const waiting = [...arriving]
        const reading = new Map<UserId, number>()
        for (let at = nextOf(waiting, reading, bounds); at !== -1; at = nextOf(waiting, reading, bounds)) {
          const [user] = waiting.splice(at, 1)
          if (user === undefined) throw new Error("nobody waits there")
          reading.set(user, (reading.get(user) ?? 0) + 1)
        }
        const all = [...reading.values()].reduce((sum, held) => sum + held, 0)
        assert.isAtMost(all, turns)
        assert.isTrue([...reading.values()].every((held) => held <= bounds.turnsPerUser))
        if (all < turns) assert.isTrue(waiting.every((user) => reading.get(user) === bounds.turnsPerUser))
      })
    )
  })
})

describe("turns", () => {
  /** Readings that go on until they are told to end, and the order in which they began. */
  const readings = (turns: IngestTurns["Service"]) => {
    const began: Array<string> = []
    const start = Effect.fnUntraced(function* (user: UserId, name: string) {
      const [running, end] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const work = Effect.sync(() => began.push(name)).pipe(
        Effect.andThen(Deferred.succeed(running, undefined)),
        Effect.andThen(Deferred.await(end))
      )
      const fiber = yield* Effect.forkChild(turns.inTurn(user, work), { startImmediately: true })
      return { running: Deferred.await(running), end: Deferred.succeed(end, undefined), fiber }
    })
    return { began, start }
  }

  it.effect("somebody else comes before a user's tenth file, and who gives up waiting takes no turn", () =>
    Effect.gen(function* () {
      const { began, start } = readings(IngestTurns.make(limitsFor(2)))
      const first = yield* start(ann, "ann 1")
      const second = yield* start(ann, "ann 2")
      const third = yield* start(ann, "ann 3")
      const other = yield* start(bob, "bob 1")
      yield* Effect.all([first.running, other.running])
      assert.deepStrictEqual(began, ["ann 1", "bob 1"])
      yield* Fiber.interrupt(second.fiber)
      yield* first.end
      yield* third.running
      assert.deepStrictEqual(began, ["ann 1", "bob 1", "ann 3"])
      // One that is broken off in the middle gives its turn back.
      yield* Fiber.interrupt(third.fiber)
      const fourth = yield* start(ann, "ann 4")
      yield* fourth.running
    })
  )

  it.effect("too many open intakes are refused at once, a user's before everybody's", () =>
    Effect.gen(function* () {
      const turns = IngestTurns.make({ ...limitsFor(2), open: 3, openPerUser: 2 })
      const open = (user: UserId) => Effect.forkChild(turns.admitted(user, Effect.never), { startImmediately: true })
      const [one] = [yield* open(ann), yield* open(ann)]
      const said = yield* Effect.flip(turns.admitted(ann, Effect.void))
      assert.strictEqual(said._tag, "Unavailable")
      assert.match(said.detail ?? "", /your videos/)
      yield* open(bob)
      assert.match((yield* Effect.flip(turns.admitted(eve, Effect.void))).detail ?? "", /Too many videos/)
      yield* Fiber.interrupt(one)
      yield* turns.admitted(ann, Effect.void)
    })
  )
})

describe("uploads that are far too many", () => {
  it("are refused before their bodies, to whom they belong, and not to others", async () => {
    const [api, clips] = await Promise.all([startApi({ env: JWT }), TinyClips.make()])
    try {
      const file = await clips.plain("a.mp4", { seconds: 0.4 })
      const [anns, bobs] = [await bearer("ann"), await bearer("bob")]
      const made = await api.start({ videoId: (await api.upload(file, anns)).id }, anns)
      await complete(api, made, file)
      const files = async () =>
        (await readdir(api.infra.store, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
          .length
      const before = await files()
      const begun = Array.from({ length: 32 }, () => {
        const upload = request(`${api.url}/api/videos?name=a.mp4`, { method: "POST", headers: anns })
        upload.on("error", () => {})
        upload.write("a beginning")
        return upload
      })
      await until("all of them to come in", async () => (await files()) === before + begun.length)
      const refused = await api.uploadRaw(file, "a.mp4", anns)
      isProblem(refused, 503, "unavailable")
      assert.strictEqual(refused.headers.get("retry-after"), "10")
      const another = await api.call("POST", `/api/exports/${made.id}/video`, undefined, anns)
      isProblem(another, 503, "unavailable")
      assert.strictEqual(another.headers.get("retry-after"), "10")
      await api.upload(file, bobs)
      for (const upload of begun) upload.destroy()
      await until("room", async () => (await api.uploadRaw(file, "a.mp4", anns)).status === 201)
    } finally {
      await api.close()
      await clips.remove()
    }
  })
})
