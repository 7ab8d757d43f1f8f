import { assert, describe, it } from "@effect/vitest"
import type { Task } from "@reelay/contracts/Plan"
import { media, planOf, specOf, unfolded } from "../../../libs/render/test/Specs.ts"
import { neededBy, sourcesOf } from "../src/Inputs.ts"

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
})
