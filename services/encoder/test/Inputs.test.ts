import { assert, describe, it } from "@effect/vitest"
import { Digest, ImageId } from "@reelay/contracts/Ids"
import type { Task } from "@reelay/contracts/Plan"
import { media, planOf, specOf, unfolded } from "../../../libs/render/test/Specs.ts"
import { imagesOf, neededBy, sourcesOf } from "../src/Inputs.ts"

const index = {
  v: 1 as const,
  timeBase: { num: 1, den: 90_000 },
  pts: Array.from({ length: 100 }, (_, n) => n * 3600),
  keys: [0],
  keyBytes: [-1]
}

describe("what a task reads", () => {
  const sources = Array.from({ length: 3 }, () => ({ media: media(96, 64, { sound: true }), index }))
  const dissolve = { type: "dissolve", duration: 1 } as const
  const clips = [
    { source: 2, transition: dissolve },
    { source: 1, transition: dissolve },
    { source: 1, end: 2 }
  ]
  const plan = planOf(specOf(sources, clips), sources)
  const read = (tasks: ReadonlyArray<Task>) => tasks.map((task) => [task.work._tag, ...sourcesOf(plan, task)])

  it("is both its clips' sources where one becomes the other, each once", () => {
    const parts = unfolded(plan).tasks
    assert.deepStrictEqual(read(parts), [
      ["chunk", 2],
      ["sound", 2],
      ["dissolve", 2, 1],
      ["crossfade", 2, 1],
      ["chunk", 1],
      ["sound", 1],
      ["dissolve", 1],
      ["crossfade", 1],
      ["chunk", 1],
      ["sound", 1],
      ["soundtrack"],
      ["mux"]
    ])
    assert.deepStrictEqual(read(plan.tasks), [["pass", 2, 1]])
    for (const task of parts) assert.sameMembers([...neededBy(task)], [...task.needs])
  })

  it("is the images over the clips that it shows, each once", () => {
    const images = ["1", "2", "3"].map((n) => ({
      imageId: ImageId.make(`0198c9a0-0000-7000-8000-00000000000${n}`),
      sha256: Digest.make(n.repeat(64)),
      object: n,
      bytes: 1,
      width: 2,
      height: 2
    }))
    const spec = specOf(sources, clips)
    const over = (...shown: ReadonlyArray<number>) =>
      images
        .filter((_, i) => shown.includes(i))
        .map(({ imageId }) => ({ type: "image" as const, imageId, start: 0, end: 9, x: 0, y: 0, width: 0.5 }))
    const [first, second, third] = spec.clips
    if (first === undefined || second === undefined || third === undefined) return assert.fail()
    const overlaid = {
      ...spec,
      type: "overlay" as const,
      images,
      clips: [{ ...first, overlays: over(0, 1) }, { ...second, overlays: over(1) }, third]
    }
    const drawn = planOf(overlaid, sources)
    const named = (tasks: ReadonlyArray<Task>) =>
      tasks.map((task) => [task.work._tag, ...imagesOf(drawn, task).map(({ object }) => object)].join(" "))
    assert.deepStrictEqual(named(drawn.tasks), ["pass 1 2"])
    assert.deepStrictEqual(
      named(unfolded(drawn).tasks.filter(({ work }) => work._tag !== "sound" && work._tag !== "crossfade")),
      ["chunk 1 2", "dissolve 1 2", "chunk 2", "dissolve 2", "chunk", "soundtrack", "mux"]
    )
  })
})
