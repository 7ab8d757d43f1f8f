import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execa } from "execa"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { ingest, type Ingested } from "./Ingest.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { H264, makeSource, type SourceRecipe } from "./Sources.ts"
import { planOf, specOf } from "./Specs.ts"

/** Four seconds at 25 frames a second, a key frame each second. */
const FRAMES = 100
const CODED = [...H264, "-g", "25"]
/** Pictures that take some bytes. */
const LIVELY = { filters: "noise=alls=25:allf=t" }
const MPEG4 = ["-c:v", "mpeg4", "-q:v", "2", "-g", "25"]
const SOUND = ["-f", "lavfi", "-i", "sine=d=4"]
const KINDS = {
  "MPEG-TS": { extension: "ts", codec: CODED, sound: SOUND },
  Matroska: { extension: "mkv", codec: CODED, sound: SOUND },
  "AVI with MPEG-4": { extension: "avi", codec: MPEG4, sound: SOUND, soundCodec: ["-c:a", "mp2"] },
  MP4: { extension: "mp4", codec: CODED, sound: SOUND, output: ["-movflags", "+faststart"] }
} satisfies Record<string, Omit<SourceRecipe, "frames">>

/** Bytes. */
const TS_PACKET = 188

interface Packet {
  readonly pts: number
  readonly position: number
}

interface Broken {
  /** Kinds of files. */
  readonly damaged: ReadonlyArray<keyof typeof KINDS>
  readonly cut: boolean
}

export const damageTests = ({ cut, damaged }: Broken) =>
  describe("a source that is not whole", () => {
    let folder = ""
    beforeAll(async () => {
      folder = await mkdtemp(`${tmpdir()}/reelay-damage-`)
    })
    afterAll(() => rm(folder, { recursive: true }))

    /** In file order. */
    const packetsOf = async (path: string): Promise<ReadonlyArray<Packet>> => {
      const entries = ["-select_streams", "v", "-show_entries", "packet=pts,dts,pos", "-of", "compact=p=0"]
      const { stdout } = await execa("ffprobe", ["-v", "error", ...entries, path])
      return stdout.split("\n").flatMap((line) => {
        const field = (name: string) => Number(new RegExp(`(?:^|\\|)${name}=(-?\\d+)`).exec(line)?.[1])
        const pts = field("pts")
        return Number.isNaN(field("pos"))
          ? []
          : [{ pts: Number.isNaN(pts) ? field("dts") : pts, position: field("pos") }]
      })
    }

    const rendered = async (source: Ingested, start: number, end?: number): Promise<ReadonlyArray<number>> => {
      const clip = end === undefined ? { start } : { start, end }
      const spec = specOf([source], [clip])
      const { outputs } = await runPlan(planOf(spec, [source]), [source.path], `${folder}/${start}-${end}`, "outputs")
      return readNumbers(outputs[0]?.path ?? "", 96, 64)
    }
    const refusal = (what: Promise<unknown>): Promise<string> => what.then(() => "nothing", String)
    const count = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

    for (const name of damaged) {
      const recipe: Omit<SourceRecipe, "frames"> = KINDS[name]
      it(`because of damage in its middle is rendered around that, and refused where it shows: ${name}`, async () => {
        const path = await makeSource(folder, `damaged-${recipe.extension}`, { ...LIVELY, ...recipe, frames: FRAMES })
        // Others lean on this one until the next key frame.
        const hit = (await packetsOf(path)).toSorted((a, b) => a.pts - b.pts)[30] ?? assert.fail()
        const bytes = await readFile(path)
        // All within one packet of MPEG-TS; elsewhere a good part of the picture, for a decoder believes many a wrong bit.
        const [from, length] = recipe.extension === "ts" ? [hit.position + 100, 80] : [hit.position + 60, 1000]
        for (let i = from; i < from + length; i++) bytes[i] = (i * 7919) % 251
        await writeFile(path, bytes)

        const source = await ingest(path)
        assert.strictEqual(source.media.picture.frames, FRAMES)
        assert.deepStrictEqual(await rendered(source, 0, 1.2), count(0, 30))
        assert.deepStrictEqual(await rendered(source, 2.2), count(55, 100))
        for (const [start, end] of [
          [0, 4],
          [1.1, 1.24],
          [1.6, 1.9]
        ] as const) {
          const said = await refusal(rendered(source, start, end))
          assert.include(said, 'The source video of "clip" is damaged at 1.2 s')
        }
      })
    }

    if (!cut) return

    it("is rendered when it is whole, though its counters say that packets were lost: joined, or never counted", async () => {
      const path = await makeSource(folder, "counted", { ...LIVELY, extension: "ts", codec: CODED, frames: FRAMES })
      const bytes = await readFile(path)
      const joined = Buffer.from(bytes)
      const packets = await packetsOf(path)
      const middle = packets.find(({ pts }) => pts === (packets[0]?.pts ?? 0) + 50 * 3600) ?? assert.fail()
      // As if what is from here on had been a file of its own; and with a counter that stands still.
      for (let at = 0; at < bytes.length; at += TS_PACKET) {
        const rest = (bytes[at + 3] ?? 0) & 0xf0
        if (at >= middle.position) joined[at + 3] = rest | (((bytes[at + 3] ?? 0) + 5) & 0x0f)
        bytes[at + 3] = rest
      }
      for (const [name, content] of Object.entries({ joined, uncounted: bytes })) {
        const counted = `${folder}/${name}.ts`
        await writeFile(counted, content)
        assert.deepStrictEqual(await rendered(await ingest(counted), 1.2, 2.8), count(30, 70), name)
      }
    })

    it("because a packet was lost on its way, which is no error to the decoder, is refused where it shows", async () => {
      const path = await makeSource(folder, "lost", { ...LIVELY, extension: "ts", codec: CODED, frames: FRAMES })
      const packets = await packetsOf(path)
      const [hit, next] = [packets[26] ?? assert.fail(), packets[27] ?? assert.fail()]
      const bytes = await readFile(path)
      // One of twenty that this picture takes.
      const lost = next.position - 5 * TS_PACKET
      await writeFile(path, Buffer.concat([bytes.subarray(0, lost), bytes.subarray(lost + TS_PACKET)]))
      const source = await ingest(path)
      const at = (hit.pts - source.media.picture.zeroPts) / 90_000
      const said = await refusal(rendered(source, 0, 2))
      assert.include(said, `The source video of "clip" is damaged at ${at.toFixed(1)} s`)
      assert.deepStrictEqual(await rendered(source, 2.2), count(55, 100))
    })

    const cutOff = async (recipe: Omit<SourceRecipe, "frames">): Promise<string> => {
      const path = await makeSource(folder, `cut-${recipe.extension}`, { ...LIVELY, ...recipe, frames: FRAMES })
      const packets = await packetsOf(path)
      const [last, next] = [packets[66] ?? assert.fail(), packets[67] ?? assert.fail()]
      await writeFile(path, (await readFile(path)).subarray(0, Math.floor((last.position + next.position) / 2)))
      return path
    }

    // No frames between others: then the last packet is the last frame.
    const PLAIN = [...CODED, "-bf", "0"]
    for (const [name, recipe] of Object.entries<Omit<SourceRecipe, "frames">>({
      "MPEG-TS": { extension: "ts", codec: PLAIN },
      "Matroska without a length": { extension: "mkv", codec: PLAIN, output: ["-live", "1"] },
      AVI: { extension: "avi", codec: MPEG4 }
    })) {
      it(`because it was cut off is rendered up to there: ${name}`, async () => {
        const source = await ingest(await cutOff(recipe))
        assert.strictEqual(source.media.picture.frames, 66)
        assert.strictEqual(source.media.picture.duration, 66 * 40_000)
        assert.deepStrictEqual(await rendered(source, 1.52), count(38, 66))
      })
    }

    it("because it was cut off, with frames that lean on what is missing, is rendered up to the last one that is right", async () => {
      const source = await ingest(await cutOff({ extension: "ts", codec: CODED }))
      const { frames } = source.media.picture
      assert.isAtLeast(frames, 63)
      const shown = await rendered(source, 0)
      assert.deepStrictEqual(shown, count(0, shown.length))
    })

    for (const name of ["Matroska", "MP4"] as const) {
      it(`because it was cut off is refused where its header says how long it was: ${name}`, async () => {
        assert.match(await refusal(cutOff(KINDS[name]).then(ingest)), /incomplete/)
      })
    }

    it("because its first frames have no times is refused", async () => {
      const output = ["-avoid_negative_ts", "disabled", "-output_ts_offset", "-0.5"]
      const path = await makeSource(folder, "untimed", { extension: "mkv", frames: FRAMES, sound: SOUND, output })
      assert.match(await refusal(ingest(path)), /no times/)
    })
  })
