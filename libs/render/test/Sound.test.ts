import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { heardIn, level, onset } from "./Heard.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { makeTask, runPlan } from "./RunPlan.ts"
import { H264, makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf, unfolded } from "./Specs.ts"

/** A clip's sound, sample by sample, against what was put into the source. */
const RATE = 48_000
const SECONDS = 12

/** Noise that never repeats, one number a sample: a shift, even of one sample, shows. */
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

  it("may change its speed for a few milliseconds", async () => {
    const from = await source("plain", { frames: 50, sound: raw(2) })
    for (const [begin, rate, frames] of [
      [0.994, 0.25, 61],
      [0.993, 0.5, 60],
      [0.97, 4, 59]
    ] as const) {
      const speed = [{ start: begin, end: 1, rate }]
      const plan = unfolded(
        planOf(specOf([from], [{ start: 0, end: 1, speed }], { frameRate: { num: 60, den: 1 } }), [from])
      )
      const task = plan.tasks.find(({ work }) => work._tag === "sound") ?? assert.fail("no sound task")
      const [made] = await makeTask(plan, task, [from.path], folder, new Map())
      const samples = await samplesOf(made?.path ?? "")
      assert.strictEqual(samples.length, (2 * RATE * frames) / 60, `${begin} at ${rate}`)
      assert.strictEqual(firstDifference(samples.subarray(0, 1.9 * RATE), recorded(0, 0.95)), -1)
    }
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

  it("is mixed down from six channels, each where it belongs and as loud as players have it, and resampled", async () => {
    // Every channel sounds for half a second, one after the other.
    const tone = (channel: number) => `0.25*sin(2*PI*440*t)*between(t,${channel / 2},${(channel + 1) / 2})`
    const channels = Array.from({ length: 6 }, (_, channel) => tone(channel)).join("|")
    const surround = await source("surround", {
      extension: "mkv",
      frames: 75,
      sound: ["-f", "lavfi", "-i", `aevalsrc='${channels}':c=5.1:s=44100:d=3`],
      soundCodec: ["-c:a", "flac"]
    })
    assert.strictEqual(surround.media.sound?.channels, 6)
    const heard = await piece(surround, 0, 3)
    assert.strictEqual(heard.length, 3 * 2 * RATE)
    const full = 0.25 / Math.SQRT2
    // Middle and surround at −3 dB (ITU-R BS.775), what is below hearing left out.
    const wanted = [
      [1, 0],
      [0, 1],
      [Math.SQRT1_2, Math.SQRT1_2],
      [0, 0],
      [Math.SQRT1_2, 0],
      [0, Math.SQRT1_2]
    ]
    for (const [channel, sides] of wanted.entries()) {
      const sounding = heard.subarray((channel + 0.05) * RATE, (channel + 0.95) * RATE)
      for (const [side, part] of sides.entries()) {
        assert.closeTo(level(sounding, side, 2), part * full, 0.001, `channel ${channel} on side ${side}`)
      }
    }
    assert.closeTo(pitch(heard.subarray(0, RATE)), 440, 4)
  })

  const PROGRAMMES = {
    "its channels": ["-c:a ac3 -ac 2 -ar 48000", "-c:a ac3 -ac 6 -ar 48000"],
    "its rate": ["-c:a mp2 -ac 2 -ar 44100", "-c:a mp2 -ac 2 -ar 48000"]
  }
  it.each(Object.entries(PROGRAMMES))("goes on where a broadcast changes %s", async (name, programmes) => {
    const own = `${folder}/broadcast-${name.replaceAll(/\W/g, "")}`
    await mkdir(own)
    // A beep half a second into each second.
    for (const [i, codec] of programmes.entries()) {
      const beep = "aevalsrc=0.5*sin(2*PI*1000*t)*between(t\\,0.5\\,0.6):s=48000:d=1"
      const sound = ["-f", "lavfi", "-i", beep, ...codec.split(" ")]
      const picture = ["-f", "lavfi", "-i", "color=s=96x64:r=25:d=1"]
      await execa("ffmpeg", ["-v", "error", ...picture, ...sound, ...H264, `${own}/${i}.ts`])
    }
    await writeFile(`${own}/list`, programmes.map((_, i) => `file '${own}/${i}.ts'\n`).join(""))
    const path = `${own}/all.ts`
    await execa("ffmpeg", ["-v", "error", "-f", "concat", "-safe", "0", "-i", `${own}/list`, "-c", "copy", path])
    const broadcast = await ingest(path)
    const plan = unfolded(planOf(specOf([broadcast], [{ start: 0.2, end: 1.9 }]), [broadcast]))
    const { outputs } = await runPlan(plan, [path], own)
    const heard = await heardIn(outputs[0]?.path ?? "")
    for (const at of [0.3, 1.3]) assert.closeTo(onset(heard, at - 0.2, at + 0.2), at, 0.04)
  })

  it("is the track that players choose, when there are several", async () => {
    const tone = (hertz: number) => ["-f", "lavfi", "-i", `sine=f=${hertz}:d=2`]
    const several = async (name: string, ...disposition: ReadonlyArray<string>) =>
      source(name, {
        extension: "mkv",
        frames: 50,
        sound: [...tone(440), ...tone(880)],
        soundCodec: ["-map", "2:a", "-c:a", "flac", ...disposition]
      })
    const first = await several("first", "-disposition:a", "0")
    const chosen = await several("chosen", "-disposition:a:0", "0", "-disposition:a:1", "default")
    assert.deepStrictEqual([first.media.sound?.streamIndex, chosen.media.sound?.streamIndex], [1, 2])
    assert.closeTo(pitch(await piece(first, 0.5, 1.5)), 440, 4)
    assert.closeTo(pitch(await piece(chosen, 0.5, 1.5)), 880, 4)
  })
})

/** Hertz of a tone on the left of a stereo recording, by its changes of sign. */
const pitch = (samples: Int16Array): number => {
  let changes = 0
  for (let i = 2; i < samples.length; i += 2) if ((samples[i] ?? 0) >= 0 !== (samples[i - 2] ?? 0) >= 0) changes++
  return (changes * RATE) / samples.length
}

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

  const SOUNDS = [
    ["quiet noise", "anoisesrc=c=pink:a=0.02:d=8", -14, "mp4"],
    ["a loud tone", "sine=f=997:d=8,volume=12dB", -16, "webm"],
    ["soft and loud by turns", "anoisesrc=c=pink:d=8:a=0.5,volume='if(lt(mod(t,2),1),0.05,1)':eval=frame", -16, "mp4"]
  ] as const
  for (const [name, sound, loudness, format] of SOUNDS) {
    it(`is what was asked for: ${name}`, async () => {
      const recipe = { extension: "mov", frames: 200, sound: ["-f", "lavfi", "-i", sound] } as const
      const from = await ingest(await makeSource(folder, name.replaceAll(" ", "-"), recipe))
      const codec = format === "webm" ? "vp9" : "h264"
      const spec = specOf([from], [{ end: 8 }], { loudness, format, codec })
      const { outputs } = await runPlan(planOf(spec, [from]), [from.path], `${folder}/${name}`, "outputs")
      assert.closeTo(await measured(outputs[0]?.path ?? ""), loudness, 0.7)
    })
  }

  for (const seconds of [2, 8]) {
    it(`is what was asked for where peaks are in its way, and these are held where they are: ${seconds} s`, async () => {
      const clicks = `aevalsrc='0.05*(2*random(0)-1)+0.6*lt(mod(t+0.5,1),0.002)':s=48000:d=${seconds}`
      const recipe = { extension: "mov", frames: 25 * seconds, sound: ["-f", "lavfi", "-i", clicks] } as const
      const from = await ingest(await makeSource(folder, `clicks-${seconds}`, recipe))
      const at = async (loudness: -14 | null) => {
        const plan = planOf(specOf([from], [{}], { loudness }), [from])
        const { outputs } = await runPlan(plan, [from.path], `${folder}/clicks-${seconds}${loudness ?? ""}`, "outputs")
        return outputs[0]?.path ?? ""
      }
      const [louder, same] = [await at(-14), await at(null)]
      assert.closeTo(await measured(louder), -14, 0.7)
      const samples = await samplesOf(louder)
      // −1.5 dB, and what AAC adds.
      assert.isFalse(samples.some((sample) => Math.abs(sample) > 32_000))
      const click = (within: Int16Array) => within.findIndex((sample) => Math.abs(sample) > 13_000) / 2
      assert.closeTo(click(samples), click(await samplesOf(same)), 4)
    })
  }

  it("is nothing where there is silence", async () => {
    const recipe = { extension: "mov", frames: 50, sound: ["-f", "lavfi", "-i", "anullsrc=d=2"] } as const
    const from = await ingest(await makeSource(folder, "silent", recipe))
    const { outputs } = await runPlan(planOf(specOf([from], [{}], { loudness: -14 }), [from]), [from.path], folder)
    assert.strictEqual(outputs[0]?.audio?.samples, 96_000)
  })
})
