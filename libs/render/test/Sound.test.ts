import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { makeTask, runPlan } from "./RunPlan.ts"
import { makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf, unfolded } from "./Specs.ts"

/** A clip's sound, sample by sample, against what was put into the source. */
const RATE = 48_000
const SECONDS = 12

/** Noise that never repeats, one number a sample: any shift, even of one sample, shows. */
const noise = (seed: number): Int16Array => {
  const samples = new Int16Array(SECONDS * RATE)
  let state = seed
  for (let i = 0; i < samples.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    samples[i] = (state >>> 16) - 32_768
  }
  return samples
}
const left = noise(1)
const right = noise(2)

const interleaved = (channels: ReadonlyArray<Int16Array>): Int16Array => {
  const all = new Int16Array(channels.length * SECONDS * RATE)
  for (const [c, channel] of channels.entries()) channel.forEach((sample, i) => (all[i * channels.length + c] = sample))
  return all
}

const samplesOf = async (path: string, ...options: ReadonlyArray<string>): Promise<Int16Array> => {
  const { stdout } = await execa(
    "ffmpeg",
    ["-v", "error", "-i", path, "-map", "0:a", ...options, "-f", "s16le", "pipe:1"],
    {
      stripFinalNewline: false,
      encoding: "buffer",
      maxBuffer: 1 << 28
    }
  )
  return new Int16Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + stdout.byteLength))
}

/** First place where two recordings differ, −1 for none: a readable answer where half a million numbers are not. */
const firstDifference = (a: Int16Array, b: Int16Array): number => {
  if (a.length !== b.length) return Math.min(a.length, b.length)
  return a.findIndex((sample, i) => sample !== b[i])
}

describe("a clip's sound", () => {
  let folder = ""
  const raw = (channels: number) => [
    "-f",
    "s16le",
    "-ar",
    String(RATE),
    "-ac",
    String(channels),
    "-i",
    `${folder}/${channels}.raw`
  ]
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-sound-`)
    await writeFile(`${folder}/1.raw`, left)
    await writeFile(`${folder}/2.raw`, interleaved([left, right]))
  })
  afterAll(() => rm(folder, { recursive: true }))

  const source = async (name: string, recipe: Partial<SourceRecipe>): Promise<Ingested> =>
    ingest(
      await makeSource(folder, name, { extension: "mov", frames: 300, soundCodec: ["-c:a", "pcm_s16le"], ...recipe })
    )

  /** The piece that a plan cuts for [start, end) of a source. */
  const piece = async (from: Ingested, start: number, end: number): Promise<Int16Array> => {
    const plan = unfolded(planOf(specOf([from], [{ start, end }]), [from]))
    const task = plan.tasks.find(({ work }) => work._tag === "sound") ?? assert.fail("no sound task")
    const [made] = await makeTask(plan, task, [from.path], folder, new Map())
    return samplesOf(made?.path ?? "")
  }

  /** What it must be: sample k is what was recorded at `shift` + k, silence where nothing was. */
  const recorded = (shift: number, seconds: number, heard: (k: number) => boolean = () => true): Int16Array => {
    const samples = new Int16Array(2 * Math.round(seconds * RATE))
    for (let k = 0; k < samples.length / 2; k++) {
      if (!heard(k)) continue
      samples[2 * k] = left[shift + k] ?? 0
      samples[2 * k + 1] = right[shift + k] ?? 0
    }
    return samples
  }

  it("is exact to the sample, wherever it is cut", async () => {
    const from = await source("plain", { sound: raw(2) })
    for (const [start, end] of [
      [0, 12],
      [1.234567, 3.234567],
      [10.72, 11.2]
    ] as const) {
      const expected = recorded(Math.round(start * RATE), end - start)
      assert.strictEqual(firstDifference(await piece(from, start, end), expected), -1, `${start}–${end}`)
    }
  })

  it("is silent before it starts and after it ends", async () => {
    const late = await source("late", { frames: 350, sound: ["-itsoffset", "0.5", ...raw(2)] })
    assert.strictEqual(late.media.sound?.offset, 500_000)
    assert.strictEqual(firstDifference(await piece(late, 0, 14), recorded(-RATE / 2, 14)), -1)
    assert.strictEqual(firstDifference(await piece(late, 0.3, 1.3), recorded(-0.2 * RATE, 1)), -1)
    assert.isTrue((await piece(late, 13, 14)).every((sample) => sample === 0))
  })

  it("is exact where it is cut by less than a millisecond", async () => {
    const from = await source("plain", { frames: 50, sound: raw(2) })
    assert.strictEqual(firstDifference(await piece(from, 0.0005, 1.0005), recorded(24, 1)), -1)
  })

  it("loses what comes before the picture", async () => {
    const early = await source("early", { pts: "N*3600+27000", sound: raw(2) })
    assert.strictEqual(early.media.sound?.offset, -300_000)
    assert.strictEqual(firstDifference(await piece(early, 0, 2), recorded(0.3 * RATE, 2)), -1)
    assert.strictEqual(firstDifference(await piece(early, 9.4, 10), recorded(Math.round(9.7 * RATE), 0.6)), -1)
  })

  it("keeps its holes", async () => {
    const holed = await source("holed", {
      extension: "mkv",
      sound: raw(2),
      soundCodec: ["-af", "asetnsamples=480,aselect='not(between(t,2,2.995))'", "-c:a", "pcm_s16le"]
    })
    const heard = (offset: number) => (k: number) => k + offset < 2 * RATE || k + offset >= 3 * RATE
    assert.strictEqual(firstDifference(await piece(holed, 0, 6), recorded(0, 6, heard(0))), -1)
    assert.strictEqual(firstDifference(await piece(holed, 2.6, 6), recorded(2.6 * RATE, 3.4, heard(2.6 * RATE))), -1)
  })

  it("is on both sides when there is one channel, no quieter", async () => {
    const mono = await source("mono", { sound: raw(1) })
    const heard = await piece(mono, 1, 2)
    const expected = new Int16Array(2 * RATE).map((_, i) => left[RATE + (i >> 1)] ?? 0)
    assert.strictEqual(firstDifference(heard, expected), -1)
  })

  it("is the same after a seek as without one, in AAC too", async () => {
    const coded = await source("coded", {
      extension: "mp4",
      sound: raw(2),
      soundCodec: ["-c:a", "aac", "-b:a", "256k"]
    })
    const all = await samplesOf(coded.path, "-af", "aresample=async=1:first_pts=0")
    const [start, end] = [9.56, 11]
    assert.strictEqual(firstDifference(await piece(coded, start, end), all.slice(2 * start * RATE, 2 * end * RATE)), -1)
  })

  it("is mixed down from six channels, and resampled", async () => {
    const surround = await source("surround", {
      extension: "mkv",
      sound: ["-f", "lavfi", "-i", "sine=f=440:r=44100:d=12,aformat=channel_layouts=mono,pan=5.1|FC=c0"],
      soundCodec: ["-c:a", "flac"]
    })
    const heard = await piece(surround, 1, 3)
    assert.strictEqual(heard.length, 2 * 2 * RATE)
    // 440 Hz whatever the rate: 880 changes of sign a second, the same on both sides.
    let changes = 0
    for (let i = 2; i < heard.length; i += 2) if ((heard[i] ?? 0) >= 0 !== (heard[i - 2] ?? 0) >= 0) changes++
    assert.closeTo(changes, 2 * 880, 2)
    assert.isTrue(heard.every((sample, i) => i % 2 === 0 || sample === heard[i - 1]))
    assert.isAbove(Math.max(...heard.subarray(0, RATE)), 1000)
  })
})

describe("a soundtrack's loudness", () => {
  let folder = ""
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-loudness-`)
  })
  afterAll(() => rm(folder, { recursive: true }))

  /** Integrated loudness of a file, LUFS, as ffmpeg's meter has it. */
  const measured = async (path: string): Promise<number> => {
    const { stderr } = await execa("ffmpeg", [
      "-hide_banner",
      "-nostats",
      "-i",
      path,
      "-af",
      "ebur128",
      "-f",
      "null",
      "-"
    ])
    return Number(/Integrated loudness:\s+I:\s+(\S+) LUFS/.exec(stderr)?.[1])
  }

  const SOUNDS = {
    "quiet noise": "anoisesrc=c=pink:a=0.02:d=8",
    "a loud tone": "sine=f=997:d=8,volume=12dB",
    "soft and loud by turns": "anoisesrc=c=pink:d=8:a=0.5,volume='if(lt(mod(t,2),1),0.05,1)':eval=frame"
  }
  for (const [name, sound] of Object.entries(SOUNDS)) {
    it(`is what was asked for: ${name}`, async () => {
      const recipe = { extension: "mov", frames: 200, sound: ["-f", "lavfi", "-i", sound] } as const
      const from = await ingest(await makeSource(folder, name.replaceAll(" ", "-"), recipe))
      for (const [loudness, format] of [
        [-14, "mp4"],
        [-16, "webm"]
      ] as const) {
        const codec = format === "webm" ? "vp9" : "h264"
        const spec = specOf([from], [{ end: 8 }], { loudness, format, codec })
        const { outputs } = await runPlan(planOf(spec, [from]), [from.path], `${folder}/${format}`, "outputs")
        assert.closeTo(await measured(outputs[0]?.path ?? ""), loudness, 0.7, format)
      }
    })
  }

  it("is nothing where there is silence", async () => {
    const recipe = { extension: "mov", frames: 50, sound: ["-f", "lavfi", "-i", "anullsrc=d=2"] } as const
    const from = await ingest(await makeSource(folder, "silent", recipe))
    const { outputs } = await runPlan(planOf(specOf([from], [{}], { loudness: -14 }), [from]), [from.path], folder)
    assert.strictEqual(outputs[0]?.audio?.samples, 96_000)
  })
})
