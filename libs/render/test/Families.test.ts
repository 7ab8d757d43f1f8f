import { assert, describe, it } from "@effect/vitest"
import type { Overlay } from "@reelay/contracts/Edits"
import type { Family, VideoCodec } from "@reelay/contracts/Export"
import { Digest, ImageId } from "@reelay/contracts/Ids"
import type { MediaInfo } from "@reelay/contracts/Media"
import type { Plan } from "@reelay/contracts/Plan"
import { execa } from "execa"
import { expect } from "vitest"
import { commandFor } from "../src/Command.ts"
import { encoderArguments, encoderName, LADDER, residentOf } from "../src/Encoders.ts"
import { media, planOf, specOf, unfolded } from "./Specs.ts"

/**
 * What each family is told, in files to read: `golden/<family>.txt` has a line for every codec × mode × quality, and
 * `golden/<family>.device.txt` a chunk that never leaves the device. After a change that is meant, `vitest run Families -u`
 * writes them anew; other bytes are made then: raise COMPILER with it.
 */
const CODECS = ["h264", "hevc", "vp9", "av1"] as const
const MODES = ["fast", "balanced", "quality"] as const
const QUALITIES = ["high", "medium", "low"] as const
const DEVICE = { nvenc: "1", qsv: "/dev/dri/renderD129", amf: null, videotoolbox: null, software: null }

const request = {
  width: 1280,
  height: 720,
  frameRate: { num: 30, den: 1 },
  length: 180,
  mode: "balanced",
  quality: "medium"
} as const
const tell = (family: Family, codec: VideoCodec, change: Partial<Parameters<typeof encoderArguments>[0]> = {}) => {
  const { global, output, passes } = encoderArguments({ ...request, family, codec, device: DEVICE[family], ...change })
  return [...global, ...output, ...(passes === 2 ? ["(twice)"] : [])].join(" ")
}

const golden = (name: string, text: string) => expect(text).toMatchFileSnapshot(`golden/${name}.txt`)

describe("what a family is told", () => {
  it.each(LADDER)("%s: every codec, effort and rate", async (family) => {
    const lines = CODECS.filter((codec) => encoderName(family, codec) !== null).flatMap((codec) =>
      MODES.flatMap((mode) =>
        QUALITIES.map(
          (quality) =>
            `${codec.padEnd(5)}${mode.padEnd(9)}${quality.padEnd(7)} ${tell(family, codec, { mode, quality })}`
        )
      )
    )
    await golden(family, `${lines.join("\n")}\n`)
  })

  it("is under the ceiling of its size and rate, whatever the family", () => {
    for (const family of LADDER) {
      for (const codec of CODECS.filter((codec) => encoderName(family, codec) !== null)) {
        // VP9 in software says its ceiling as a target.
        assert.match(tell(family, codec), /(?:-maxrate|-b:v) 3400000 /, `${family} ${codec}`)
        assert.match(
          tell(family, codec, { width: 3840, height: 2160, quality: "high" }),
          /(?:-maxrate|-b:v) 61200000 /,
          `${family} ${codec}`
        )
      }
    }
  })

  it("is something that the encoders of this ffmpeg know, as far as it has them", async () => {
    const general = await execa("ffmpeg", ["-hide_banner", "-h", "full"])
    const known = (text: string) => new Set(text.match(/^ *-[\w-]+/gm)?.map((option) => option.trim()))
    const everywhere = known(general.stdout.slice(0, general.stdout.indexOf("amv encoder")))
    let asked = 0
    for (const family of LADDER) {
      for (const codec of CODECS) {
        const name = encoderName(family, codec)
        if (name === null) continue
        const help = (await execa("ffmpeg", ["-hide_banner", "-h", `encoder=${name}`])).stdout
        if (!help.startsWith("Encoder ")) continue
        asked++
        const own = known(help)
        const used = tell(family, codec, { device: null }).match(/(?<= |^)-[a-z][\w-]*/g) ?? []
        for (const option of used)
          assert.isTrue(own.has(option) || everywhere.has(option), `${name} knows no ${option}`)
      }
    }
    assert.isAtLeast(asked, 4)
  })
})

const IMAGE = {
  imageId: ImageId.make("0198c9a0-0000-7000-8000-000000000001"),
  sha256: Digest.make("0".repeat(64)),
  object: "image",
  bytes: 1,
  width: 64,
  height: 32
}

/** A chunk out of the middle of a minute, as a family encodes it. */
const chunkOf = (
  family: Family,
  picture: Partial<MediaInfo["picture"]> = {},
  some: {
    readonly resident?: boolean
    readonly clip?: object
    readonly target?: object
    readonly device?: string | null
    readonly last?: boolean
    readonly overlays?: ReadonlyArray<Overlay>
  } = {}
) => {
  const info = media(1920, 1080, { frames: 3000 })
  const { timeBase } = { ...info.picture, ...picture }
  const source = {
    media: { ...info, picture: { ...info.picture, colorRange: "tv", colorSpace: "bt709", ...picture } },
    index: {
      v: 1 as const,
      timeBase,
      pts: Array.from({ length: 3000 }, (_, n) => (n * timeBase.den) / 25),
      keys: Array.from({ length: 50 }, (_, n) => n * 60),
      keyBytes: Array.from({ length: 50 }, (_, n) => n)
    }
  }
  const target = {
    width: 1280,
    height: 720,
    frameRate: { num: 30, den: 1 },
    mode: "balanced",
    quality: "medium",
    ...some.target
  } as const
  const { overlays = [] } = some
  const framed = specOf([source], [{ start: 10, end: 70, ...some.clip }], target)
  const spec = {
    ...framed,
    type: "overlay" as const,
    images: [IMAGE],
    clips: framed.clips.map((clip) => ({ ...clip, overlays }))
  }
  const plan: Plan = { ...unfolded(planOf(spec, [source])), family }
  const chunks = plan.tasks.filter(({ work }) => work._tag === "chunk")
  const task = chunks.at(some.last === true ? -1 : 1)
  if (task?.work._tag !== "chunk") throw new Error("a chunk is planned")
  return commandFor(plan, task, {
    source: () => "/in/film.mp4",
    image: () => "/in/image.png",
    made: () => "",
    folder: "/t",
    device: some.device === undefined ? DEVICE[family] : some.device,
    resident: some.resident ?? true
  })
}

describe("a chunk that stays on the device", () => {
  it.each(LADDER.filter((family) => residentOf(family) !== null))("%s: decodes, scales and encodes", async (family) => {
    const { files, onDevice, steps } = chunkOf(family)
    assert.isTrue(onDevice)
    const argv = (steps[0]?.argv ?? [])
      .join(" ")
      .replaceAll(/ (?=-(?:hwaccel |protocol_|noaccurate|filter_complex_t|map|c:v|color_range|map_meta))/g, "\n")
    await golden(`${family}.device`, `${argv}\n\n${files.map(({ text }) => text).join("\n")}`)
  })

  it("does so only when it may, and as the frames of a plain picture", () => {
    const stays = (...of: Parameters<typeof chunkOf>) => chunkOf(...of).onDevice === true
    assert.isFalse(stays("nvenc", {}, { resident: false }))
    for (const family of ["amf", "software"] as const) assert.isFalse(stays(family))
    assert.isTrue(stays("nvenc", { codec: "hevc", pixelFormat: "yuv420p10le" }))
    for (const other of [
      // What no decoder there takes.
      { codec: "prores" },
      { codec: "h264", pixelFormat: "yuv420p10le" },
      { pixelFormat: "yuv422p" },
      // What is to be changed besides the size.
      { rotation: 90 as const },
      { interlaced: true },
      { colorRange: "pc" },
      { colorSpace: "smpte170m" },
      { colorTransfer: "smpte2084" }
    ])
      assert.isFalse(stays("nvenc", other), JSON.stringify(other))
    assert.isFalse(stays("nvenc", {}, { target: { width: 720, height: 1280, fit: "blur" } }))
    assert.isTrue(stays("nvenc", {}, { target: { fit: "blur" } }))
    const crop = { keyframes: [{ time: 0, x: 0, y: 0, width: 0.5, height: 0.5 }], interpolation: "linear" }
    assert.isFalse(stays("nvenc", {}, { clip: { crop } }))
    const always = { start: 0, end: 99, x: 0, y: 0 }
    for (const overlay of [
      { type: "text", text: "x", size: 0.1, color: "#ffffff", ...always },
      { type: "image", imageId: IMAGE.imageId, width: 0.5, ...always },
      { type: "highlight", shape: "ellipse", keyframes: [{ time: 0, x: 0, y: 0, width: 0.5, height: 0.5 }] }
    ] as const) {
      assert.isFalse(stays("nvenc", {}, { overlays: [overlay] }), overlay.type)
    }
    // Held frames need tpad.
    assert.isFalse(stays("nvenc", {}, { clip: { end: 120 }, last: true, target: { frameRate: { num: 60, den: 1 } } }))
    // Times that Quick Sync would round.
    const fine = { timeBase: { num: 1, den: 1_000_000 } }
    assert.isFalse(stays("qsv", fine))
    assert.isTrue(stays("nvenc", fine))
    // VideoToolbox keeps ten bits.
    assert.isFalse(stays("videotoolbox", { codec: "hevc", pixelFormat: "yuv420p10le" }))
  })

  it("chooses its frames by the very filters that choose them in memory", () => {
    const timing = (graph: string | undefined) => graph?.slice(0, graph.search(/scale/)) ?? ""
    const [device, memory] = [chunkOf("nvenc"), chunkOf("nvenc", {}, { resident: false })]
    assert.isNotEmpty(timing(device.files[0]?.text))
    assert.strictEqual(timing(device.files[0]?.text), timing(memory.files[0]?.text))
  })

  it("is on the default device where the node names none", () => {
    const argv = (family: Family) => chunkOf(family, {}, { device: null }).steps[0]?.argv.join(" ") ?? ""
    assert.include(argv("nvenc"), "-init_hw_device cuda=gpu -filter_hw_device gpu")
    assert.include(argv("qsv"), "-init_hw_device qsv=gpu -filter_hw_device gpu")
  })
})
