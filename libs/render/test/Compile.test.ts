import { assert, describe, it } from "@effect/vitest"
import { CUT, type Transition } from "@reelay/contracts/Edits"
import { ImageId, UserId } from "@reelay/contracts/Ids"
import type { FrameIndex } from "@reelay/contracts/Media"
import { Build, Plan } from "@reelay/contracts/Plan"
import { Micros } from "@reelay/contracts/Quantity"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Schema } from "effect"
import fc from "fast-check"
import { compile } from "../src/Compile.ts"
import { tooShort, totalFrames } from "../src/Sequence.ts"
import { canonicalJson, taskKey } from "../src/TaskKey.ts"
import { framesBetween, samplesBefore } from "../src/Timeline.ts"
import { BUILD, EXPORT, media, planOf, specOf, unfolded } from "./Specs.ts"

const index: FrameIndex = {
  v: 1,
  timeBase: { num: 1, den: 90_000 },
  pts: Array.from({ length: 1500 }, (_, n) => n * 3600),
  keys: Array.from({ length: 30 }, (_, n) => n * 50),
  keyBytes: Array.from({ length: 30 }, () => -1)
}
const minute = media(1280, 720, { sound: true, frames: 1500 })
const silent = media(1280, 720, { frames: 1500 })
const sources = [
  { media: minute, index },
  { media: silent, index }
]

const keysOf = (plan: Plan, tag: string) =>
  unfolded(plan).tasks.flatMap((task) => (task.work._tag === tag ? [task.key] : []))
const chunkKeys = (plan: Plan) => keysOf(plan, "chunk")
const compiled = (spec: RenderSpec) => planOf(spec, sources)

const clips = fc
  .array(
    fc.record({
      source: fc.constantFrom(0, 1),
      start: fc.nat(29_000),
      length: fc.integer({ min: 100, max: 30_000 }),
      rate: fc.constantFrom(0.5, 1, 3),
      type: fc.constantFrom("cut" as const, "fade" as const, "dissolve" as const),
      duration: fc.integer({ min: 0, max: 8_000 })
    }),
    { minLength: 1, maxLength: 6 }
  )
  .map((all) =>
    all.map(({ duration, length, rate, source, start, type }) => ({
      source,
      start: start / 1000,
      end: (start + length) / 1000,
      // Its middle third.
      speed: [{ start: (start + length / 3) / 1000, end: (start + (2 * length) / 3) / 1000, rate }],
      transition: { type, duration: duration / 1000 }
    }))
  )
const rates = fc.constantFrom(
  { num: 25, den: 1 },
  { num: 30000, den: 1001 },
  { num: 24000, den: 1001 },
  { num: 60, den: 1 }
)
const deliveries = fc.constantFrom("combined" as const, "clips" as const)

describe("compile", () => {
  it("accounts for every frame and sample, each task after what it needs", () => {
    fc.assert(
      fc.property(clips, rates, deliveries, (clips, frameRate, delivery) => {
        const given = specOf(sources, clips, { frameRate }, { delivery })
        const short = tooShort(delivery, given.clips, frameRate)
        if (short !== null) assert.throws(() => compiled(given), `clip ${short.clip} lasts`)
        // Where transitions take too much, without them.
        const spec = short === null ? given : { ...given, clips: given.clips.map((c) => ({ ...c, transition: CUT })) }
        const plan = compiled(spec)
        assert.strictEqual(new Set(plan.tasks.map((task) => task.key)).size, plan.tasks.length, "every task once")
        const parts = unfolded(plan).tasks
        const byKey = new Map(parts.map((task) => [task.key, task]))

        const done = new Set<string>()
        for (const task of plan.tasks) {
          for (const need of task.needs) assert.isTrue(done.has(need), "needs come first")
          done.add(task.key)
        }
        assert.strictEqual(plan.tasks.at(-1)?.key, plan.final)

        const muxes = parts.flatMap(({ work }) => (work._tag === "mux" ? [work] : []))
        const lost = spec.clips
          .slice(0, -1)
          .map(({ transition: { duration, type } }) =>
            type === "dissolve" ? framesBetween(Micros.make(0), Micros.make(Math.round(duration * 1e6)), frameRate) : 0
          )
        const total = spec.clips.reduce((sum, { frames }, i) => sum + frames - (lost[i] ?? 0), 0)
        for (const mux of muxes) {
          const frames = mux.chunks.reduce((sum, key) => sum + (byKey.get(key)?.frames ?? 0), 0)
          assert.strictEqual(frames, mux.frames)
          const soundtrack = byKey.get(mux.soundtrack ?? plan.final)?.work
          if (soundtrack?._tag !== "soundtrack") return assert.fail("no soundtrack")
          assert.strictEqual(soundtrack.samples, samplesBefore(mux.frames, frameRate))
          const samples = soundtrack.pieces.reduce((sum, key) => {
            const piece = byKey.get(key)?.work
            return sum + (piece?._tag === "sound" || piece?._tag === "crossfade" ? piece.samples : 0)
          }, 0)
          assert.strictEqual(samples, soundtrack.samples)
        }
        if (delivery === "combined") assert.strictEqual(totalFrames(delivery, spec.clips, frameRate), total)
        if (delivery === "combined")
          assert.deepStrictEqual(
            muxes.map((mux) => mux.frames),
            [total]
          )
        // What is stored is what is read back.
        assert.deepStrictEqual(
          Schema.decodeUnknownSync(Plan)(JSON.parse(JSON.stringify(Schema.encodeSync(Plan)(plan)))),
          plan
        )
      }),
      { numRuns: 40 }
    )
  })

  it("makes the same plan of the same spec", () => {
    const spec = specOf(sources, [{ end: 14 }, { source: 1, start: 3, end: 9 }])
    assert.deepStrictEqual(compiled(spec), compiled(structuredClone(spec)))
  })

  it("keys a chunk by nothing but its own picture", () => {
    const one = chunkKeys(compiled(specOf(sources, [{ start: 2, end: 20 }])))
    assert.strictEqual(one.length, 3)
    const same = (spec: RenderSpec) =>
      assert.deepStrictEqual(
        chunkKeys(compiled(spec)).filter((key) => one.includes(key)),
        one
      )
    // Other clips, other names, another container, another place of the same bytes, a later end.
    same(
      specOf(
        sources,
        [
          { source: 1, end: 5 },
          { start: 2, end: 20, name: "other" }
        ],
        {},
        { name: "other.720p" }
      )
    )
    same(specOf(sources, [{ start: 2, end: 20 }], { format: "mov", sound: false }))
    const moved = specOf(sources, [{ start: 2, end: 20 }])
    same({
      ...moved,
      sources: moved.sources.map((source) => ({ ...source, location: { _tag: "object", key: "elsewhere" } }))
    })
    const longer = chunkKeys(compiled(specOf(sources, [{ start: 2, end: 40 }])))
    assert.deepStrictEqual(longer.slice(0, 3), one)
    // How it is seeked is not what it is: only where a chunk begins and ends.
    const first = (keys: ReadonlyArray<number>) => {
      const other = { ...index, keys }
      return chunkKeys(planOf(specOf(sources, [{ start: 2, end: 8 }]), [{ index: other }, { index: other }]))
    }
    assert.deepStrictEqual(first([0]), first([0, 50]))
  })

  it("keys everything that the picture depends on", () => {
    const spec = specOf(sources, [{ start: 2, end: 5 }])
    const key = (change: Partial<Parameters<typeof compile>[0]> = {}) =>
      chunkKeys(
        compile({
          exportId: EXPORT,
          spec,
          family: "software",
          build: BUILD,
          indexes: new Map([
            ["index-0", index],
            ["index-1", index]
          ]),
          ...change
        })
      )[0]
    const [source] = spec.sources
    assert.isDefined(source)
    const others = [
      key({ family: "nvenc" }),
      key({ build: Build.make("ba9876543210") }),
      key({ spec: { ...spec, tenant: UserId.make("somebody else") } }),
      key({ spec: specOf(sources, [{ start: 2.001, end: 5 }]) }),
      key({ spec: specOf(sources, [{ start: 2, end: 5.2 }]) }),
      key({ spec: specOf(sources, [{ source: 1, start: 2, end: 5 }]) }),
      ...[
        { width: 98 },
        { height: 66 },
        { codec: "hevc" as const },
        { frameRate: { num: 50, den: 2 } },
        { quality: "low" as const },
        { mode: "quality" as const }
      ].map((target) => key({ spec: specOf(sources, [{ start: 2, end: 5 }], target) }))
    ]
    assert.strictEqual(new Set([key(), ...others]).size, others.length + 1)
  })

  it("redoes of a transition what it touches, and nothing else", () => {
    const cut = { type: "cut", duration: 0 } as const
    const film = (...transitions: ReadonlyArray<Transition>) =>
      compiled(
        specOf(
          sources,
          [{ end: 30 }, { start: 1, end: 31 }, { start: 20, end: 50 }].map((clip, i) => ({
            ...clip,
            transition: transitions[i] ?? cut
          }))
        )
      )
    const parts = (plan: Plan) =>
      new Map(
        plan.tasks.flatMap(({ key, work }) => (work._tag === "soundtrack" || work._tag === "mux" ? [] : [[key, work]]))
      )
    /** What the second plan has to make when the first is there. */
    const made = (before: Plan, after: Plan) =>
      [...parts(after)].flatMap(([key, work]) => {
        if (parts(before).has(key)) return []
        return [work._tag === "chunk" || work._tag === "sound" ? `${work._tag} of ${work.clip}` : work._tag]
      })
    const dissolve = (duration: number) => ({ type: "dissolve", duration }) as const
    const fade = (duration: number) => ({ type: "fade", duration }) as const
    const plain = film()
    assert.strictEqual(chunkKeys(plain).length, 15)
    const around = ["chunk of 0", "sound of 0", "dissolve", "crossfade", "chunk of 1", "sound of 1"]
    assert.deepStrictEqual(made(plain, film(dissolve(1))), around)
    assert.deepStrictEqual(made(film(dissolve(1)), film(dissolve(2))), around)
    assert.deepStrictEqual(made(film(dissolve(2), fade(2)), film(dissolve(1), fade(2))), around)
    assert.deepStrictEqual(made(film(dissolve(1)), plain), ["chunk of 0", "sound of 0", "chunk of 1", "sound of 1"])
    assert.deepStrictEqual(made(plain, film(cut, fade(1))), ["chunk of 1", "sound of 1", "chunk of 2", "sound of 2"])
    // The last one leads nowhere, and every clip of a ZIP is the last one.
    assert.deepStrictEqual(made(plain, film(cut, cut, dissolve(2))), [])
    assert.deepStrictEqual(
      film(dissolve(1)).tasks.flatMap(({ frames, pool, work }) => (work._tag === "dissolve" ? [[frames, pool]] : [])),
      [[25, `software-h264-${BUILD}`]]
    )
    const zip = (transition: Transition) =>
      compiled(specOf(sources, [{ end: 4, transition }, { end: 4 }], {}, { delivery: "clips" }))
    assert.deepStrictEqual(zip(dissolve(30)).tasks, zip(cut).tasks)
  })

  it("does not do one thing twice", () => {
    const plan = compiled(specOf(sources, [{ end: 4 }, { source: 1, end: 4 }, { end: 4 }]))
    assert.strictEqual(chunkKeys(plan).length, 2)
    const mux = unfolded(plan).tasks.find((task) => task.work._tag === "mux")?.work
    assert.strictEqual(mux?._tag === "mux" ? mux.chunks.length : 0, 3)
  })

  it("shares sound between families, containers of one kind, and edits of the picture", () => {
    const sound = (target: Partial<RenderSpec["target"]>) =>
      keysOf(compiled(specOf(sources, [{ start: 1, end: 4 }], target)), "sound")
    assert.deepStrictEqual(sound({}), sound({ width: 192, height: 128, quality: "low", codec: "hevc", format: "mov" }))
  })

  it("leaves sound out where no clip has any", () => {
    const plan = planOf(specOf([sources[1] ?? assert.fail()], [{ end: 4 }]), [{ index }])
    assert.deepStrictEqual(
      unfolded(plan).tasks.map((task) => task.work._tag),
      ["chunk", "mux"]
    )
  })

  it("makes a file that is no longer than a chunk in one task, and the same file", () => {
    const spec = specOf(sources, [{ end: 4 }, { source: 1, end: 4.9 }])
    const plan = compiled(spec)
    const [task] = plan.tasks
    if (task?.work._tag !== "pass") return assert.fail("no pass")
    assert.strictEqual(plan.tasks.length, 1)
    assert.deepStrictEqual(
      task.work.parts.map((part) => part.work._tag),
      ["chunk", "sound", "chunk", "sound", "soundtrack", "mux"]
    )
    assert.strictEqual(task.frames, 4 * 25 + 123)
    assert.strictEqual(task.pool, `software-h264-${BUILD}`)
    assert.include(plan.reasons[0], "one pass")
    // Under the key that the same file has when its operations are tasks of their own.
    assert.strictEqual(task.key, task.work.parts.at(-1)?.key)

    const longer = compiled(specOf(sources, [{ end: 4 }, { source: 1, end: 5 }]))
    assert.deepStrictEqual(
      longer.tasks.map((task) => task.work._tag),
      ["chunk", "sound", "chunk", "sound", "soundtrack", "mux"]
    )
    assert.include(
      longer.tasks.map((task) => task.key),
      task.work.parts[0]?.key ?? "",
      "the first chunk is shared"
    )
    const archive = compiled(specOf(sources, [{ end: 4 }, { end: 12 }], {}, { delivery: "clips" }))
    assert.deepStrictEqual(
      archive.tasks.map((task) => task.work._tag),
      ["pass", "chunk", "chunk", "sound", "soundtrack", "mux", "zip"]
    )
  })

  it("leaves nothing out of a picture", () => {
    const spec = specOf(sources, [{ end: 4 }, { end: 2 }])
    const [first, last] = spec.clips
    if (first === undefined || last === undefined) return assert.fail()
    const imageId = ImageId.make("0198c9a0-0000-7000-8000-000000000001")
    const image = { type: "image", imageId, start: 0, end: 1, x: 0, y: 0, width: 0.5 } as const
    const clips = [{ ...first, overlays: [image] }, last]
    for (const type of ["overlay", "before_after"] as const) {
      assert.throws(() => compiled({ ...spec, type, clips }), /image that the spec does not have/)
    }
    // A framing shows no overlays, by what it is.
    assert.doesNotThrow(() => compiled({ ...spec, clips }))
    assert.throws(() => planOf(spec, []), /no frame index/)
    assert.throws(() => compiled({ ...spec, clips: [{ ...first, source: 7 }] }), /source 7 of 2/)
  })

  it("gives 4K twice the room, and light tasks their own pool", () => {
    const plan = compiled(specOf(sources, [{ end: 14 }], { width: 3840, height: 2160 }))
    for (const task of plan.tasks) {
      assert.strictEqual(task.weight, task.work._tag === "chunk" ? 2 : 1)
      assert.strictEqual(task.pool, task.work._tag === "chunk" ? `software-h264-${BUILD}` : `light-${BUILD}`)
    }
  })
})

describe("TaskKey", () => {
  it("does not depend on the order of members", () => {
    assert.strictEqual(canonicalJson({ b: [1, { d: null, c: "é" }], a: true }), '{"a":true,"b":[1,{"c":"é","d":null}]}')
    assert.strictEqual(taskKey({ a: 1, b: 2 }), taskKey({ b: 2, a: 1 }))
    assert.notStrictEqual(taskKey({ a: 1 }), taskKey({ a: "1" }))
    assert.throws(() => canonicalJson(0.5))
  })

  it("is what any JSON reader makes of it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        let text: string
        try {
          text = canonicalJson(value as Parameters<typeof canonicalJson>[0])
        } catch (error) {
          return assert.instanceOf(error, RangeError)
        }
        assert.deepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
      })
    )
  })
})
