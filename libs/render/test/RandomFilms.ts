import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { CUT, type Transition } from "@reelay/contracts/Edits"
import { Micros, type Rational } from "@reelay/contracts/Quantity"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { execa } from "execa"
import fc from "fast-check"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { tooShort } from "../src/Sequence.ts"
import { type Film, filmOf } from "./Film.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { lumaAt, readFrames } from "./Numbered.ts"
import { recut } from "./Recut.ts"
import { runPlan } from "./RunPlan.ts"
import { H264, source, type SourceRecipe } from "./Sources.ts"
import { type ClipSketch, planOf, specOf, unfolded } from "./Specs.ts"

const BT709 = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
/** Films nobody thought of, and what each frame of them must show. */
const SOURCES: ReadonlyArray<Omit<SourceRecipe, "frames">> = [
  { extension: "mp4" },
  { extension: "mkv", pts: "N*3600+mod(N*7919\\,2400)" },
  { extension: "ts", rate: "50", codec: [...H264, "-g", "40", "-x264-params", "open-gop=1:bframes=3"] },
  { extension: "mov", rate: "24000/1001", codec: [...H264, "-g", "17"] },
  {
    extension: "mp4",
    codec: [...H264, "-crf", "30", "-g", "6", "-bf", "1", ...BT709],
    soundCodec: ["-ac", "2", "-ar", "48000"]
  }
]
/** The one that frames can be copied from. */
const COPIED = 4
const COPIED_SIZE = { width: 256, height: 144 }
const SECONDS = 3.2
const [WIDTH, HEIGHT] = [128, 72]
/** Numbers that the first frame of one source after the other carries. */
const APART = 1000

const randomSources = (): Promise<ReadonlyArray<Ingested>> =>
  Promise.all(
    SOURCES.map(async (recipe, i) => {
      const [num = 25, den = 1] = (recipe.rate ?? "25").split("/").map(Number)
      const sound = ["-f", "lavfi", "-i", `sine=f=${300 + 100 * i}:d=${SECONDS}`]
      const frames = Math.floor((SECONDS * num) / den)
      const shape = { ...(i === COPIED ? COPIED_SIZE : { width: WIDTH, height: HEIGHT }), first: APART * i, frames }
      return ingest(await source({ ...recipe, ...shape, ...(i === 3 ? {} : { sound }) }))
    })
  )

const RATES: ReadonlyArray<Rational> = [
  ...[24, 25, 30, 50, 60].map((num) => ({ num, den: 1 })),
  ...[24_000, 30_000, 60_000].map((num) => ({ num, den: 1001 })),
  { num: 2997, den: 100 }
]
const SIZES = [
  [96, 64],
  [64, 96],
  [128, 72],
  [80, 80],
  [202, 114]
] as const

const seconds = (min: number, max: number) => fc.integer({ min: min * 1000, max: max * 1000 }).map((ms) => ms / 1000)

/** A window around the middle, in which neighbouring frames differ. */
const keyframe = fc
  .record({ time: seconds(0, 3), middle: fc.tuple(seconds(0.45, 0.55), seconds(0.45, 0.55)), side: seconds(0.6, 0.85) })
  .map(({ middle: [x, y], side, time }) => {
    const reach = Math.min(side, 2 * x, 2 * y, 2 - 2 * x, 2 - 2 * y)
    return { time, x: x - reach / 2, y: y - reach / 2, width: reach, height: reach }
  })

const clip: fc.Arbitrary<ClipSketch> = fc
  .record({
    source: fc.nat(SOURCES.length - 1),
    start: fc.oneof(fc.constant(0), seconds(0, 2)),
    length: seconds(0.05, 1.1),
    speed: fc.array(
      fc.record({
        gap: seconds(0, 0.3),
        length: seconds(0.02, 0.6),
        rate: fc.constantFrom(0.25, 0.5, 0.73, 1.5, 2, 4)
      }),
      { maxLength: 2 }
    ),
    crop: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      {
        weight: 1,
        arbitrary: fc
          .uniqueArray(keyframe, { minLength: 1, maxLength: 3, selector: ({ time }) => time })
          .map((keys) => ({ keyframes: keys.toSorted((a, b) => a.time - b.time) }))
      }
    ),
    transition: fc.record({
      type: fc.constantFrom("cut", "fade", "dissolve"),
      duration: seconds(0.03, 0.5)
    }) satisfies fc.Arbitrary<Transition>
  })
  .map(({ length, speed, start, transition, ...rest }) => {
    let at = start
    const segments = speed.map(({ gap, length, rate }) => {
      const from = at + gap
      at = from + length
      return { start: from, end: at, rate }
    })
    return { ...rest, start, end: start + length, speed: segments, transition }
  })

/** In what ways a film may be made: none of them must show. */
const WAYS = ["as planned", "twice", "task by task", "cut anywhere", "clips split in two", "smart cut"] as const

interface RandomFilm {
  readonly clips: ReadonlyArray<ClipSketch>
  readonly target: Partial<RenderSpec["target"]>
  readonly way: (typeof WAYS)[number]
  /** Where something is cut: parts of a thousand. */
  readonly places: ReadonlyArray<number>
}

const randomFilm = (maxLength: number): fc.Arbitrary<RandomFilm> =>
  fc
    .record({
      clips: fc.array(clip, { minLength: 1, maxLength }),
      rate: fc.constantFrom(...RATES),
      size: fc.constantFrom(...SIZES),
      sound: fc.constantFrom(false, false, true),
      way: fc.constantFrom(...WAYS),
      places: fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 3 })
    })
    .map(({ clips, rate, size: [width, height], sound, ...rest }) =>
      rest.way === "smart cut"
        ? {
            ...rest,
            clips: clips.map(mostlyTrimmed),
            target: { frameRate: { num: 25, den: 1 }, ...COPIED_SIZE, sound }
          }
        : { ...rest, clips, target: { frameRate: rate, width, height, sound } }
    )

/** Long ones of which most can be copied, and short ones in between of which nothing can. */
const mostlyTrimmed = ({ crop = null, end = 0, start = 0 }: ClipSketch, position: number): ClipSketch =>
  position % 2 === 0
    ? { source: COPIED, start: start / 2, end: start / 2 + 1 + (end - start) }
    : { source: COPIED, start, end: start + 0.2, crop }

/** Without the transitions for which clips are too short; null when one of them has no frame at all. */
const fitting = (sources: ReadonlyArray<Ingested>, film: Pick<RandomFilm, "clips" | "target">): RenderSpec | null => {
  const rate = film.target.frameRate ?? { num: 25, den: 1 }
  let clips = film.clips.filter(({ end = 0, start = 0 }) => (end - start) * rate.num >= 5 * rate.den)
  for (;;) {
    if (clips.length === 0) return null
    const spec = specOf(sources, clips, film.target)
    const short = tooShort("combined", spec.clips, rate)
    if (short === null) return spec
    clips = clips.map((clip, i) => (i === short.clip || i === short.clip - 1 ? { ...clip, transition: CUT } : clip))
  }
}

/** Each clip at its usual speed as two, where a frame falls on a whole microsecond. */
const splitClips = (clips: RenderSpec["clips"], rate: Rational, place: number): RenderSpec["clips"] =>
  clips.flatMap((clip) => {
    const frame = Math.floor((clip.frames * place) / 1000)
    const at = (frame * rate.den * 1_000_000) / rate.num
    if (clip.speed.length > 0 || frame === 0 || !Number.isInteger(at)) return [clip]
    const middle = Micros.make(clip.start + at)
    const halves = [
      { ...clip, end: middle, frames: frame, transition: CUT },
      { ...clip, start: middle, frames: clip.frames - frame }
    ]
    return halves
  })

/** Levels of grey by which a place may differ: codecs, a window's whole pixels. */
const TOLERANCE = 60
/** What is looked at: so many places a side. */
const PLACES = 7

/** Renders it, and finds fault. */
const proveFilm = async (sources: ReadonlyArray<Ingested>, film: RandomFilm, folder: string): Promise<void> => {
  const spec = fitting(sources, film)
  if (spec === null) return
  const expected = filmOf(spec, sources)
  const { frameRate, height, width } = spec.target
  const split = film.way === "clips split in two" ? splitClips(spec.clips, frameRate, film.places[0] ?? 1) : null
  const changed = split === null || tooShort("combined", split, frameRate) !== null ? spec : { ...spec, clips: split }
  const whole = planOf(changed, sources)
  const places = [...film.places].toSorted((a, b) => a - b)
  const cuts = (frames: number) =>
    [...new Set(places.map((place) => Math.floor((frames * place) / 1000)))].filter((cut) => cut > 0)
  const plan =
    film.way === "cut anywhere" ? recut(whole, sources, cuts) : film.way === "task by task" ? unfolded(whole) : whole
  if (film.way === "smart cut") assert.match(plan.reasons.join("; "), /smart cut, \d+ frames copied/)
  const paths = sources.map(({ path }) => path)
  // Proves its count, its time stamps, its sound's length.
  const { outputs } = await runPlan(plan, paths, folder, "outputs")
  const path = outputs[0]?.path ?? assert.fail("nothing was made")
  if (film.way === "twice") {
    const again = (await runPlan(plan, paths, `${folder}/again`, "outputs")).outputs[0]?.path ?? ""
    const { stdout } = await execa("sha256sum", [path, again])
    const [first, second] = stdout.split("\n").map((line) => line.split(" ")[0])
    assert.strictEqual(second, first, "the bytes of another run")
  }
  const frames = await readFrames(path, width, height)
  assert.strictEqual(frames.length, expected.length)
  for (const [n, frame] of frames.entries()) {
    for (const fault of faults(frame, width, height, expected[n] ?? [])) assert.fail(`frame ${n}: ${fault}`)
  }
}

const faults = function* (frame: Uint8Array, width: number, height: number, made: Film[number]): Iterable<string> {
  for (let row = 0; row < PLACES; row++) {
    for (let column = 0; column < PLACES; column++) {
      const [x, y] = [(column + 0.5) / PLACES, (row + 0.5) / PLACES]
      const lumas = made.map(({ frame, part, source, window }) => {
        const luma = lumaAt(APART * source + frame, window.x + x * window.width, window.y + y * window.height, 0.03)
        return luma === null ? Number.NaN : luma * part
      })
      const wanted = lumas.reduce((sum, luma) => sum + luma, 0)
      const shown = around(frame, width, Math.floor(x * width), Math.floor(y * height))
      if (Math.abs(shown - wanted) > TOLERANCE) {
        yield `${shown.toFixed(0)} at ${x.toFixed(2)}, ${y.toFixed(2)} instead of ${wanted.toFixed(0)}: ${JSON.stringify(made)}`
      }
    }
  }
}

/** Mean of the nine pixels around a place. */
const around = (frame: Uint8Array, width: number, x: number, y: number): number => {
  let sum = 0
  for (const dx of [-1, 0, 1]) for (const dy of [-1, 0, 1]) sum += frame[(y + dy) * width + x + dx] ?? 0
  return sum / 9
}

/** `seed`: the same films at every run; without it others each time. */
export const randomFilmTests = ({
  clips,
  films,
  seed
}: {
  readonly clips: number
  readonly films: number
  readonly seed?: number
}) =>
  describe("films nobody thought of", () => {
    let folder = ""
    let sources: ReadonlyArray<Ingested> = []
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-random-`)
      sources = await randomSources()
    })
    afterAll(() => rm(folder, { recursive: true }))

    it(`have the frames that they must, whatever way they are made: ${films} of them`, async () => {
      let made = 0
      const property = fc.asyncProperty(randomFilm(clips), async (film) => {
        const own = `${folder}/${made++}`
        await proveFilm(sources, film, own)
        await rm(own, { recursive: true, force: true })
      })
      // To make a smaller one of it takes many more: that is for who looks into it.
      await fc.assert(property, {
        numRuns: films,
        endOnFailure: process.env["SHRINK"] !== "1",
        ...(seed === undefined ? {} : { seed })
      })
    }, 3_000_000)
  })
