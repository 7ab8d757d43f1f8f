import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import type { Plan, Task } from "@reelay/contracts/Plan"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { compile } from "../src/Compile.ts"
import { setNumbers } from "../src/ParameterSets.ts"
import { smartCutter } from "../src/SmartCut.ts"
import { ingest, type Ingested } from "./Ingest.ts"
import { camera, digests, hidden, likeness, overall, samples, SIZE, the } from "./Copied.ts"
import { readNumbers } from "./Numbered.ts"
import { runPlan } from "./RunPlan.ts"
import { BUILD, type ClipSketch, EXPORT, planOf, specOf } from "./Specs.ts"

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

/** Frames of each piece of picture, in their order: copied ones in brackets. */
const pieces = ({ tasks }: Plan): string =>
  tasks
    .flatMap(({ frames, work }): ReadonlyArray<Pick<Task, "frames" | "work">> =>
      work._tag === "pass" ? work.parts : [{ frames, work }]
    )
    .flatMap(({ frames, work }) =>
      work._tag === "copy" ? [`[${frames}]`] : work._tag === "chunk" ? [`${frames}`] : []
    )
    .join(" ")

describe("smart cut", () => {
  let folder = ""
  /** 150 frames, a key frame every 25, B-frames that are referred to. */
  let source: Ingested
  /** The same, but groups are open: frames before a key frame are coded after it. */
  let open: Ingested
  beforeAll(async () => {
    folder = await mkdtemp(`${tmpdir()}/reelay-smartcut-`)
    ;[source, open] = await Promise.all([
      camera(folder, "camera", { sound: true }),
      camera(folder, "open", { x264: ["open-gop=1", "keyint=27"] })
    ])
  })
  afterAll(() => rm(folder, { recursive: true }))

  const specFor = (from: Ingested, clips: ReadonlyArray<ClipSketch>) => specOf([from], clips, SIZE)
  /** The finished file. */
  const made = async (plan: Plan, from: Ingested): Promise<string> =>
    the((await runPlan(plan, [from.path], folder, "outputs")).outputs[0]).path
  const planned = (from: Ingested, clips: ReadonlyArray<ClipSketch>) => planOf(specFor(from, clips), [from])

  it("copies what it can to the bit and encodes the rest like a chunk; every frame is the source's", async () => {
    const spec = specFor(source, [{ start: 0.4, end: 4.76 }])
    const plan = planOf(spec, [source])
    assert.strictEqual(pieces(plan), "15 [88] 6")
    assert.strictEqual(
      plan.reasons[0],
      "picture: smart cut, 88 frames copied as they are, 21 encoded beside them, h264 on software"
    )
    const chunks = compile({
      exportId: EXPORT,
      spec,
      family: "software",
      build: BUILD,
      indexes: new Map([["index-0", source.index]]),
      noSmartCut: "it is told so"
    })
    assert.strictEqual(pieces(chunks), "109")
    assert.include(chunks.reasons, "no smart cut: it is told so")

    const [cut, encoded] = [await made(plan, source), await made(chunks, source)]
    for (const file of [cut, encoded]) {
      assert.deepStrictEqual(await readNumbers(file, SIZE.width, SIZE.height), numbers(10, 119))
    }
    const [ours, theirs] = await Promise.all([digests(cut), digests(source.path)])
    assert.deepStrictEqual(ours.slice(15, 103), theirs.slice(25, 113))
    // What is heard begins at the very sample; the encoder's noise aside, it is the same.
    assert.include(plan.reasons, "sound: copied with the picture")
    const [heard, all] = await Promise.all([samples(cut), samples(source.path)])
    const [begin, length] = [2 * 0.4 * 48_000, 2 * 109 * 1920]
    assert.isAtLeast(heard.length, length)
    assert.isBelow(heard.length, length + 2 * 2048)
    let furthest = 0
    for (let at = 0; at < length; at++) {
      furthest = Math.max(furthest, Math.abs((heard[at] ?? 0) - (all[begin + at] ?? 0)))
    }
    assert.isAtMost(furthest, 2)
    const [cutLike, encodedLike] = await Promise.all([
      likeness(cut, source.path, 10),
      likeness(encoded, source.path, 10)
    ])
    const edges = (each: ReadonlyArray<number>) => [...each.slice(0, 15), ...each.slice(103)]
    assert.isAbove(overall(edges(cutLike)), overall(edges(encodedLike)) - 0.1)
  })

  it("what begins and ends where the source does is copied whole; what ends elsewhere has its sets in the header", async () => {
    const whole = planned(source, [{}])
    assert.strictEqual(pieces(whole), "[150]")
    assert.deepStrictEqual(await digests(await made(whole, source)), await digests(source.path))
    const beginning = planned(source, [{ end: 3.28 }])
    assert.strictEqual(pieces(beginning), "[76] 6")
    assert.deepStrictEqual(await readNumbers(await made(beginning, source), SIZE.width, SIZE.height), numbers(0, 82))
  })

  it("of what was cut without encoding before: an edit list hides its beginning", async () => {
    const cut = await hidden(folder, source, 0.6)
    const plan = planned(cut, [{ start: 1.48, end: 5.2 }])
    assert.strictEqual(pieces(plan), "23 [67] 3")
    assert.deepStrictEqual(await readNumbers(await made(plan, cut), SIZE.width, SIZE.height), numbers(52, 145))
  })

  it("several clips of a source, and one that has to be encoded between them", async () => {
    const crop = { keyframes: [{ time: 0, x: 0.1, y: 0.1, width: 0.8, height: 0.8 }], interpolation: "linear" as const }
    const plan = planned(source, [
      { start: 0.4, end: 4 },
      { start: 1, end: 1.4, crop },
      { start: 2, end: 5.4 }
    ])
    assert.strictEqual(pieces(plan), "15 [75] 10 [80] 5")
    const file = await made(plan, source)
    const shown = await readNumbers(file, SIZE.width, SIZE.height)
    assert.deepStrictEqual(shown.slice(0, 90), numbers(10, 100))
    assert.deepStrictEqual(shown.slice(100), numbers(50, 135))
    const [ours, theirs] = await Promise.all([digests(file), digests(source.path)])
    assert.deepStrictEqual(
      [...ours.slice(15, 90), ...ours.slice(100, 180)],
      [...theirs.slice(25, 100), ...theirs.slice(50, 130)]
    )
  })

  it("is not taken in by open groups: it begins where the order of coding allows", () => {
    const { keys, order } = open.index
    let end = 0
    const ends = new Set(the(order).runs.map((run) => (end += run)))
    const leading = the(keys.find((key) => key > 0 && !ends.has(key)))
    const [plan] = [planned(open, [{ start: (leading - 5) / 25 }])]
    assert.notMatch(pieces(plan), /^5 \[/)
  })

  it("an index that lies is found out", async () => {
    const inOrder = { runs: source.index.pts.map(() => 1), ahead: 2 }
    const lies = [
      { of: open, index: { ...open.index, order: inOrder }, found: /no parameter sets/ },
      {
        of: source,
        index: { ...source.index, order: inOrder },
        found: /frames: 109 expected|frame \d+ is shown at|is not the source's/
      },
      {
        of: source,
        index: { ...source.index, pts: source.index.pts.map((at) => at + 2 * 512) },
        found: /is not the source's/
      }
    ]
    for (const { found, index, of } of lies) {
      const lying = { ...of, index }
      const plan = planned(lying, [{ start: 0.4, end: 4.76 }])
      assert.include(pieces(plan), "[")
      const said = await made(plan, lying).then(
        () => "it passed for right",
        ({ message }: Error) => message
      )
      assert.match(said, found)
    }
  })

  it("a block of the source that was lost, far from all seams, is found out", async () => {
    const { index, path } = await camera(folder, "silent")
    const bytes = await readFile(path)
    // Within the picture that follows a key frame.
    const [key, length] = [the(index.keyBytes[2]), 4]
    const at = key + length + bytes.readUInt32BE(key) + length + 200
    await writeFile(path, bytes.fill(0, at, at + 100))
    const lost = await ingest(path)
    const plan = planned(lost, [{ start: 0.4, end: 4.76 }])
    assert.strictEqual(pieces(plan), "15 [88] 6")
    const said = await made(plan, lost).then(() => "it passed for right", String)
    assert.include(said, "what is copied of the source is damaged")
  })

  it("says why not, for an operator", () => {
    const why = (change: Parameters<typeof specOf>[2], clips: ReadonlyArray<ClipSketch> = [{ start: 0.4 }]) => {
      const spec = specOf([source], clips, { ...SIZE, ...change })
      const answer = smartCutter(spec, new Map([["index-0", source.index]]))(spec.clips)
      return typeof answer === "string" ? answer : null
    }
    assert.isNull(why({}))
    const hevc = { ...source, media: { ...source.media, picture: { ...source.media.picture, codec: "hevc" } } }
    assert.include(
      planOf(specOf([hevc], [{ start: 0.4 }], { ...SIZE, codec: "hevc" }), [source]).reasons,
      "no smart cut: hevc is always encoded, because parameter sets of two encoders cannot be told apart in it"
    )
    assert.strictEqual(why({ width: 640, height: 384 }), "the source is 320×192")
    assert.strictEqual(why({ codec: "hevc" }), "the source is h264")
    assert.strictEqual(why({ format: "webm", codec: "vp9" }), "webm is always encoded")
    assert.strictEqual(why({ quality: "low" }), "the source takes more than low quality may")
    assert.strictEqual(why({ frameRate: { num: 30, den: 1 } }), "the source's frame rate is not the output's")
    assert.strictEqual(why({}, [{ speed: [{ start: 1, end: 2, rate: 2 }] }]), "it changes its speed")
    assert.strictEqual(why({}, [{ start: 0.4, end: 1 }]), "no whole group of the source lies within it")
    assert.strictEqual(
      why({}, [
        { start: 0.2, end: 2.3 },
        { start: 0.4, end: 1.4 },
        { start: 0.04, end: 1 }
      ]),
      "only 35 of 102 frames could be copied"
    )
    // What matters is what is copied, not the whole file.
    const [begin = 0, ...keys] = source.index.keyBytes
    const busy = { ...source.index, keyBytes: [begin, ...keys.map((at) => at + 1_000_000)] }
    const part = (start: number, end: number) => {
      const spec = specOf([source], [{ start, end }], SIZE)
      const answer = smartCutter(spec, new Map([["index-0", busy]]))(spec.clips)
      return typeof answer === "string" ? answer : null
    }
    assert.strictEqual(part(0, 3.28), "the source takes more than high quality may")
    assert.isNull(part(1, 4.28))
    const fade = { type: "fade" as const, duration: 1 }
    assert.strictEqual(why({}, [{ end: 3, transition: fade }, {}]), "it fades or dissolves")
  })

  it("reads the numbers of parameter sets", () => {
    const sets = [
      0, 0, 0, 1, 0x67, 0x64, 0, 0x1e, 0xac, 0, 0, 1, 0x68, 0xeb, 0, 0, 0, 1, 0x67, 0x64, 0, 0x1e, 0x04, 0x0b
    ]
    assert.deepStrictEqual(setNumbers(Uint8Array.from(sets)), [0, 31])
  })
})
