import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Plan } from "@reelay/contracts/Plan"
import type { RenderSpec } from "@reelay/contracts/RenderSpec"
import { execa } from "execa"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { samplesBefore } from "../src/Timeline.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { makeTask, runPlan } from "./RunPlan.ts"
import { makeSource } from "./Sources.ts"
import { type ClipSketch, planOf, specOf, unfolded } from "./Specs.ts"

/** The sound of fades and dissolves, sample by sample, and in its place beside the picture. */
const RATE = 48_000
const SECONDS = 12
const RATES = [
  { num: 25, den: 1 },
  { num: 30000, den: 1001 }
]

/** Noise that never repeats, in mono, so quiet that nothing made of it is clipped. */
const noise = (seed: number): Int16Array => {
  const samples = new Int16Array(SECONDS * RATE)
  let state = seed
  for (let i = 0; i < samples.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    samples[i] = ((state >>> 16) - 32_768) >> 3
  }
  return samples
}
const RECORDED = [noise(1), noise(2)]

/** One channel of a file's sound. */
const samplesOf = async (path: string): Promise<Int16Array> => {
  const { stdout } = await execa(
    "ffmpeg",
    ["-v", "error", "-i", path, "-map", "0:a", "-af", "pan=mono|c0=c1", "-f", "s16le", "pipe:1"],
    { stripFinalNewline: false, encoding: "buffer", maxBuffer: 1 << 28 }
  )
  return new Int16Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.byteLength))
}

/** Where each clip begins on the file's clock, and how long its transition is; in frames, from the definition. */
const placesOf = ({ clips, target: { frameRate: rate } }: RenderSpec) => {
  let end = 0
  return clips.map(({ frames, transition: { duration, type } }, i) => {
    const length = i < clips.length - 1 ? Math.round((duration * rate.num) / rate.den) : 0
    const begin = end
    end = begin + frames - (type === "dissolve" ? length : 0)
    return { begin, frames, type, length }
  })
}

describe("the sound of a transition", () => {
  let folder = ""
  let sources: ReadonlyArray<Ingested> = []
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-crossfade-`)
    sources = await Promise.all(
      RECORDED.map(async (samples, i) => {
        await writeFile(`${folder}/${i}.raw`, samples)
        const sound = ["-f", "s16le", "-ar", String(RATE), "-ac", "1", "-i", `${folder}/${i}.raw`]
        const recipe = { extension: "mov", frames: 300, sound, soundCodec: ["-c:a", "pcm_s16le"] } as const
        return ingest(await makeSource(folder, `noise-${i}`, recipe))
      })
    )
    sources = [...sources, await ingest(await makeSource(folder, "silent", { extension: "mp4", frames: 300 }))]
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** What the soundtrack is put together from, before it is encoded. */
  const piecesOf = async (given: Plan): Promise<ReadonlyArray<Int16Array>> => {
    const plan = unfolded(given)
    const track = plan.tasks.find(({ work }) => work._tag === "soundtrack")?.work
    if (track?._tag !== "soundtrack") return assert.fail("no soundtrack")
    const paths = sources.map(({ path }) => path)
    return Promise.all(
      track.pieces.map(async (key) => {
        const task = plan.tasks.find((task) => task.key === key) ?? assert.fail("no such piece")
        const [made] = await makeTask(plan, task, paths, folder, new Map())
        return samplesOf(made?.path ?? "")
      })
    )
  }
  const joined = (pieces: ReadonlyArray<Int16Array>) => Int16Array.from(pieces.flatMap((piece) => [...piece]))

  /** Greatest difference, in sixteen-bit steps; a readable answer where half a million numbers are not. */
  const furthest = (heard: Int16Array, expected: Float64Array): { readonly off: number; readonly at: number } => {
    assert.strictEqual(heard.length, expected.length)
    let worst = { off: 0, at: -1 }
    for (const [at, sample] of heard.entries()) {
      const off = Math.abs(sample - (expected[at] ?? 0))
      if (off > worst.off) worst = { off, at }
    }
    return worst
  }

  for (const rate of RATES) {
    it(`is exact to the sample, in equal-power dissolves and straight fades, at ${rate.num}/${rate.den}`, async () => {
      const clips: ReadonlyArray<ClipSketch> = [
        { start: 1.25, end: 9, transition: { type: "dissolve", duration: 1.3 } },
        { source: 1, start: 0.5, end: 6, transition: { type: "fade", duration: 1.1 } },
        { start: 3, end: 6, transition: { type: "dissolve", duration: 0.7 } },
        { source: 1, start: 8.5, end: 9.2, transition: { type: "dissolve", duration: 0 } },
        { source: 1, start: 1, end: 2 }
      ]
      const spec = specOf(sources, clips, { frameRate: rate })
      const heard = joined(await piecesOf(planOf(spec, sources)))
      const places = placesOf(spec)
      const at = (frame: number) => samplesBefore(frame, rate)
      const last = places.at(-1) ?? assert.fail()
      const expected = new Float64Array(at(last.begin + last.frames))
      for (const [i, { begin, frames, length, type }] of places.entries()) {
        const clip = spec.clips[i] ?? assert.fail()
        const before = places[i - 1]
        const end = begin + frames
        for (let s = at(begin); s < at(end); s++) {
          let gain = 1
          if (before?.type === "dissolve" && before.length > 0) {
            const part = (s - at(begin)) / (at(begin + before.length) - at(begin))
            gain *= part < 1 ? Math.sin((part * Math.PI) / 2) : 1
          }
          if (before?.type === "fade") {
            const risen = begin + Math.ceil(before.length / 2)
            gain *= Math.min(1, (s - at(begin)) / (at(risen) - at(begin)))
          }
          if (type === "dissolve" && length > 0) {
            const part = (s - at(end - length)) / (at(end) - at(end - length))
            gain *= part > 0 ? Math.cos((part * Math.PI) / 2) : 1
          }
          if (type === "fade") {
            const sinks = end - Math.floor(length / 2)
            gain *= Math.min(1, 1 - (s - at(sinks)) / (at(end) - at(sinks)))
          }
          const recorded = RECORDED[clip.source]?.[Math.round((clip.start * RATE) / 1e6) + s - at(begin)] ?? 0
          expected[s] = (expected[s] ?? 0) + recorded * gain
        }
      }
      const { at: where, off } = furthest(heard, expected)
      assert.isAtMost(off, 1.01, `sample ${where}`)
    })
  }

  it("goes on without a gap where a clip's own sound ends and its dissolve begins, at any speed", async () => {
    const speed = [
      { start: 2, end: 5.3, rate: 0.5 },
      { start: 6, end: 7, rate: 2 }
    ]
    for (const duration of [0.2, 1, 2.6]) {
      const clip = { start: 1.013, end: 7.4, speed } as const
      const frameRate = { num: 30000, den: 1001 }
      const [whole] = await piecesOf(planOf(specOf(sources, [clip], { frameRate }), sources))
      const transition = { type: "dissolve", duration } as const
      const spec = specOf(
        sources,
        [
          { ...clip, transition },
          { source: 2, start: 2, end: 5 }
        ],
        { frameRate }
      )
      const [body, dissolve] = await piecesOf(planOf(spec, sources))
      if (whole === undefined || body === undefined || dissolve === undefined) return assert.fail("no pieces")
      assert.strictEqual(body.length + dissolve.length, whole.length)
      const expected = Float64Array.from(whole, (sample, i) => {
        const part = (i - body.length) / dissolve.length
        return part > 0 ? sample * Math.cos((part * Math.PI) / 2) : sample
      })
      const { at, off } = furthest(joined([body, dissolve]), expected)
      assert.isAtMost(off, 1.01, `sample ${at} of ${body.length} + ${dissolve.length}`)
    }
    // And as the second side: what the dissolve leaves of it begins where the dissolve ends.
    const clip = { start: 1.9, end: 7.4, speed } as const
    const [whole] = await piecesOf(planOf(specOf(sources, [clip]), sources))
    const transition = { type: "dissolve", duration: 1.2 } as const
    const [, dissolve, body] = await piecesOf(
      planOf(specOf(sources, [{ source: 2, end: 3, transition }, clip]), sources)
    )
    if (whole === undefined || body === undefined || dissolve === undefined) return assert.fail("no pieces")
    const expected = Float64Array.from(whole, (sample, i) =>
      i < dissolve.length ? sample * Math.sin(((i / dissolve.length) * Math.PI) / 2) : sample
    )
    assert.isAtMost(furthest(joined([dissolve, body]), expected).off, 1.01)
  })

  it("is heard when it is seen", async () => {
    // A beep of a tenth of a second at every second of the one source, at every three quarters of the other.
    const beeping = async (name: string, at: number) => {
      const beep = `aevalsrc='if(between(mod(t,1),${at},${at}+0.1),0.5*sin(2*PI*1000*t),0)':s=48000:d=12`
      const recipe = { extension: "mp4", frames: 300, sound: ["-f", "lavfi", "-i", beep] } as const
      return ingest(await makeSource(folder, name, recipe))
    }
    const both = [await beeping("full", 0), await beeping("three-quarters", 0.75)]
    const clips: ReadonlyArray<ClipSketch> = [
      { start: 0.5, end: 4.5, transition: { type: "dissolve", duration: 1.2 } },
      // Twice as fast in the second half of the dissolve.
      {
        source: 1,
        start: 1.3,
        end: 5.3,
        speed: [{ start: 2, end: 3, rate: 2 }],
        transition: { type: "fade", duration: 1.4 }
      },
      { start: 2.8, end: 5.3 }
    ]
    for (const frameRate of RATES) {
      const spec = specOf(both, clips, { frameRate })
      const paths = both.map(({ path }) => path)
      const { outputs } = await runPlan(planOf(spec, both), paths, `${folder}/beeps-${frameRate.num}`)
      const heard = await samplesOf(outputs[0]?.path ?? "")
      const [, second, third] = placesOf(spec).map(({ begin }) => (begin * frameRate.den) / frameRate.num)
      const beeps = [
        ...[0.5, 1.5, 2.5, 3.5].map((at) => [at, 0.1] as const),
        ...[0.45, 1.95, 2.95].map((at) => [(second ?? 0) + at, 0.1] as const),
        [(second ?? 0) + 1.075, 0.05] as const,
        ...[0.2, 1.2, 2.2].map((at) => [(third ?? 0) + at, 0.1] as const)
      ]
      for (const [at, lasting] of beeps) {
        let [energy, moment] = [0, 0]
        for (let i = Math.round((at - 0.07) * RATE); i < (at + lasting + 0.07) * RATE; i++) {
          const power = (heard[i] ?? 0) ** 2
          energy += power
          moment += power * i
        }
        assert.isAbove(energy, 1e6, `a beep at ${at}`)
        assert.closeTo(moment / energy / RATE, at + lasting / 2, frameRate.den / frameRate.num, `the beep at ${at}`)
      }
    }
  })
})
