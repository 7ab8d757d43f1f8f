import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { heardIn, onset } from "./Heard.ts"
import { source, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

/** A source as people have them: two seconds at 25 frames a second, with a beep when frame 25 is shown. */
export interface Footage extends Omit<SourceRecipe, "frames"> {
  readonly silent?: boolean
  /** The first frame that a player shows; 0 unless told. */
  readonly shownFrom?: number
  /** What else must be true of what the API finds in it. */
  readonly found?: (source: Ingested) => void
}

const FRAMES = 50
const RATE = { num: 25, den: 1 }
const BEEP = ["-f", "lavfi", "-i", "aevalsrc='if(between(t,1,1.1),0.5*sin(2*PI*1000*t),0)':s=48000:d=2"]
/** The frames of a part of each, from between its key frames. */
const PART = { from: 17, to: 34 }

/** All of them in one export, each as a whole and in part: the right frames, and sound where it belongs. */
export const footageTests = (kinds: Readonly<Record<string, Footage>>) =>
  describe("a source as people have them:", () => {
    const names = Object.keys(kinds)
    let folder = ""
    let shown: ReadonlyArray<number> = []
    let heard: Int16Array = new Int16Array()
    let sources: ReadonlyArray<Ingested> = []
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-footage-`)
      sources = await Promise.all(
        Object.values(kinds).map(async ({ silent = false, ...recipe }) =>
          ingest(await source({ ...(silent ? {} : { sound: BEEP }), ...recipe, frames: FRAMES }))
        )
      )
      const clips = Object.values(kinds).flatMap(({ shownFrom = 0 }, i) => {
        const at = (frame: number) => (frame - shownFrom) / RATE.num
        return [{ source: i }, { source: i, start: at(PART.from), end: at(PART.to) }]
      })
      const spec = specOf(sources, clips, { frameRate: RATE })
      const paths = sources.map(({ path }) => path)
      const { outputs } = await runPlan(planOf(spec, sources), paths, folder, "outputs")
      const path = outputs[0]?.path ?? ""
      ;[shown, heard] = await Promise.all([readNumbers(path, 96, 64), heardIn(path)])
    }, 300_000)
    afterAll(() => rm(folder, { recursive: true, force: true }))

    const count = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
    let begins = 0
    for (const [position, name] of names.entries()) {
      const { found, shownFrom = 0, silent = false } = kinds[name] ?? assert.fail()
      const whole = FRAMES - shownFrom
      const part = PART.to - PART.from
      const at = begins
      begins += whole + part
      it(`${name}`, () => {
        const mine = sources[position] ?? assert.fail("it was not taken in")
        assert.strictEqual(mine.media.picture.frames, whole)
        assert.deepStrictEqual(mine.media.picture.frameRate, RATE)
        found?.(mine)
        assert.deepStrictEqual(shown.slice(at, at + whole + part), [
          ...count(shownFrom, FRAMES),
          ...count(PART.from, PART.to)
        ])
        assert.strictEqual(mine.media.sound === null, silent)
        if (silent) return
        for (const [first, beep] of [
          [at, at + 25 - shownFrom],
          [at + whole, at + whole + 25 - PART.from]
        ] as const) {
          const seconds = onset(heard, first / RATE.num, beep / RATE.num + 0.1)
          assert.closeTo(seconds, beep / RATE.num, 1 / RATE.num, "the beep")
        }
      })
    }
  })
