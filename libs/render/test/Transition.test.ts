import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { CUT, type Transition } from "@reelay/contracts/Edits"
import type { Rational } from "@reelay/contracts/Quantity"
import type { Target } from "@reelay/contracts/RenderSpec"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { filmOf, type Ingredient } from "./Film.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { type Plane, planesOf, similarity } from "./Reference.ts"
import { runPlan } from "./RunPlan.ts"
import { makeSource } from "./Sources.ts"
import { type ClipSketch, planOf, specOf, unfolded } from "./Specs.ts"

/** Fades and dissolves, picture and sound, in finished files. */
const RATES: ReadonlyArray<Rational> = [
  { num: 25, den: 1 },
  { num: 30000, den: 1001 }
]
const dissolve = (duration: number): Transition => ({ type: "dissolve", duration })
const fade = (duration: number): Transition => ({ type: "fade", duration })

describe("a transition", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-transition-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  describe("in the picture", () => {
    // Cells of 32 × 16 pixels: codecs' blocks fit them, so that what they lose is not the question here.
    const [WIDTH, HEIGHT] = [128, 64]
    const size = { width: WIDTH, height: HEIGHT }
    let sources: ReadonlyArray<Ingested> = []
    let planes: ReadonlyArray<ReadonlyArray<Plane>> = []
    beforeAll(async () => {
      const one = await makeSource(folder, "one", { extension: "mp4", frames: 350, ...size })
      const two = await makeSource(folder, "two", { extension: "mkv", frames: 360, rate: "30", first: 1000, ...size })
      sources = await Promise.all([ingest(one), ingest(two)])
      planes = await Promise.all(sources.map(({ path }) => planesOf(path, WIDTH, HEIGHT)))
    })

    const paths = () => sources.map(({ path }) => path)

    for (const rate of RATES) {
      it(`leaves every frame beside it as it was, at ${rate.num}/${rate.den}`, async () => {
        const clips: ReadonlyArray<ClipSketch> = [
          { start: 0.7, end: 11.9, transition: dissolve(0.8) },
          { source: 1, start: 0.21, end: 3.1, transition: fade(0.5) },
          { start: 8.1, end: 10.3, transition: dissolve(0.04) },
          { source: 1, start: 2, end: 3.5 }
        ]
        const spec = specOf(sources, clips, { ...size, frameRate: rate, sound: false })
        const plan = planOf(spec, sources)
        assert.strictEqual(plan.tasks.filter(({ work }) => work._tag === "dissolve").length, 2)
        const { outputs } = await runPlan(plan, paths(), `${folder}/numbered-${rate.num}`)
        const shown = await readNumbers(outputs[0]?.path ?? "", WIDTH, HEIGHT)
        const recipe = filmOf(spec, sources)
        assert.strictEqual(shown.length, recipe.length)
        let compared = 0
        for (const [n, [only, ...more]] of recipe.entries()) {
          if (only === undefined || more.length > 0 || only.part < 0.75) continue
          assert.strictEqual(shown[n], only.frame + 1000 * only.source, `frame ${n}`)
          compared++
        }
        assert.isAbove(compared, recipe.length - 45)
      })
    }

    const blended = (ingredients: ReadonlyArray<Ingredient>): Plane => {
      const pixels = new Float32Array(WIDTH * HEIGHT)
      for (const { frame, part, source } of ingredients) {
        const from = planes[source]?.[frame] ?? assert.fail(`no frame ${frame}`)
        for (let i = 0; i < pixels.length; i++) pixels[i] = (pixels[i] ?? 0) + (from.pixels[i] ?? 0) * part
      }
      return { width: WIDTH, height: HEIGHT, pixels }
    }
    /** Mean difference of two pictures, in levels of grey. */
    const difference = (a: Plane, b: Plane) =>
      a.pixels.reduce((sum, pixel, i) => sum + Math.abs(pixel - (b.pixels[i] ?? 0)), 0) / a.pixels.length

    const CASES: Record<string, { readonly clips: ReadonlyArray<ClipSketch>; readonly split?: "chunk" | "dissolve" }> =
      {
        "a dissolve": {
          clips: [
            { start: 0.5, end: 2.5, transition: dissolve(1) },
            { source: 1, start: 1, end: 3 }
          ]
        },
        "a fade": {
          clips: [
            { start: 0.5, end: 2.5, transition: fade(1.2) },
            { source: 1, start: 1, end: 3 }
          ]
        },
        "a dissolve from the very end of one source into the very start of another": {
          clips: [
            { start: 12.3, transition: dissolve(1.5) },
            { source: 1, end: 2 }
          ]
        },
        "a fade over several chunks": {
          clips: [
            { start: 0.5, end: 10.9, transition: fade(14) },
            { source: 1, start: 1, end: 11.5 }
          ],
          split: "chunk"
        },
        "a dissolve in which both sides change their speed": {
          clips: [
            { start: 0.5, end: 4.5, speed: [{ start: 3.1, end: 4.1, rate: 0.5 }], transition: dissolve(2) },
            { source: 1, start: 1, end: 5, speed: [{ start: 1.5, end: 5, rate: 2 }] }
          ],
          split: "dissolve"
        },
        "clips that are nothing but transitions": {
          clips: [
            { start: 0.5, end: 1.5, transition: dissolve(0.48) },
            { source: 1, start: 1, end: 2, transition: dissolve(0.48) },
            { start: 5, end: 6, transition: fade(1) },
            { source: 1, start: 5, end: 6 }
          ]
        }
      }
    for (const [position, [name, { clips, split }]] of Object.entries(CASES).entries()) {
      // The ones at 25, the others at 29.97: all rates are where random films are.
      for (const rate of RATES.slice(position % 2).slice(0, 1)) {
        it(`is what plain arithmetic makes of it: ${name}, at ${rate.num}/${rate.den}`, async () => {
          const target = { ...size, frameRate: rate, mode: "balanced", sound: false } as const
          const spec = specOf(sources, clips, target)
          const plan = planOf(spec, sources)
          if (split !== undefined) {
            const pieces = unfolded(plan).tasks.filter(
              ({ work }) => work._tag === split && (work._tag === "dissolve" || (work.fades?.[0]?.from ?? 0) < 0)
            )
            assert.isAtLeast(pieces.length, 2, "the transition is in pieces")
          }
          const { outputs } = await runPlan(plan, paths(), `${folder}/${name}-${rate.num}`, "outputs")
          const shown = await planesOf(outputs[0]?.path ?? "", WIDTH, HEIGHT)
          const recipe = filmOf(spec, sources)
          assert.strictEqual(shown.length, recipe.length)
          for (const [n, plane] of shown.entries()) {
            const expected = blended(recipe[n] ?? [])
            const what = `frame ${n}: ${JSON.stringify(recipe[n])}`
            // In the dark a codec leaves out what nobody sees, though its structure is another: levels must do there.
            const light = (recipe[n] ?? []).reduce((sum, { part }) => sum + part, 0)
            if (light >= 0.2) assert.isAtLeast(similarity(plane, expected), 0.98, what)
            assert.isAtMost(difference(plane, expected), 1.5, what)
          }
        })
      }
    }

    it("is between the pictures that the clips have alone, each cropped or fitted as it is", async () => {
      const window = (time: number, x: number) => ({ time, x, y: 0, width: 0.5, height: 1 })
      const crop = { keyframes: [window(4, 0), window(6, 0.5)] }
      const clips: ReadonlyArray<ClipSketch> = [
        { start: 4, end: 6, crop, transition: dissolve(1.2) },
        { source: 1, start: 4, end: 6.5, speed: [{ start: 4.5, end: 5.5, rate: 2 }], transition: dissolve(0.4) },
        { start: 9, end: 10 }
      ]
      const size = { width: 64, height: 96 }
      const render = async (sketches: ReadonlyArray<ClipSketch>, name: string, kind: Partial<Target> = {}) => {
        const spec = specOf(sources, sketches, { ...size, fit: "blur", mode: "balanced", sound: false, ...kind })
        const { outputs } = await runPlan(planOf(spec, sources), paths(), `${folder}/${name}`, "outputs")
        return planesOf(outputs[0]?.path ?? "", size.width, size.height)
      }
      const [first, second, third] = await Promise.all(
        clips.map((clip, i) => render([{ ...clip, transition: CUT }], `alone-${i}`))
      )
      if (first === undefined || second === undefined || third === undefined) return assert.fail()
      const expected = [
        ...first.slice(0, -30),
        ...overlap(first.slice(-30), second.slice(0, 30)),
        ...second.slice(30, -10),
        ...overlap(second.slice(-10), third.slice(0, 10)),
        ...third.slice(10)
      ]
      for (const [name, kind, similar, levels] of [
        ["h264", {}, 0.97, 3],
        // In two passes, and coarse at this size.
        ["vp9", { codec: "vp9", format: "webm" }, 0.87, 5]
      ] as const) {
        const joined = await render(clips, name, kind)
        assert.strictEqual(joined.length, expected.length)
        for (const [n, plane] of joined.entries()) {
          const wanted = expected[n] ?? assert.fail()
          assert.isAtLeast(similarity(plane, wanted), similar, `frame ${n} in ${name}`)
          assert.isAtMost(difference(plane, wanted), levels, `frame ${n} in ${name}`)
        }
      }
    })
    const overlap = (sinking: ReadonlyArray<Plane>, rising: ReadonlyArray<Plane>): ReadonlyArray<Plane> =>
      sinking.map(({ pixels, ...rest }, k) => {
        const part = (k + 1) / (sinking.length + 1)
        return { ...rest, pixels: pixels.map((pixel, i) => pixel * (1 - part) + (rising[k]?.pixels[i] ?? 0) * part) }
      })
  })
})
