import { assert, it } from "@effect/vitest"
import type { Progress } from "@reelay/contracts/Export"
import { Progress as ProgressSchema, Stage } from "@reelay/contracts/Export"
import { Schema } from "effect"
import fc from "fast-check"
import type { Event } from "../src/report/Event.ts"
import { barLine, jsonRenderer, plainRenderer, terminalRenderer } from "../src/report/Reporter.ts"
import { table } from "../src/report/Table.ts"
import { bytesInWords, timeInWords } from "../src/report/Words.ts"

const progress = (over: Partial<Progress> = {}): Progress => ({
  epoch: 1,
  status: "processing",
  percent: 52.4,
  stage: "encoding",
  message: "",
  queuePosition: null,
  framesDone: 52,
  framesTotal: 100,
  speed: 2.14,
  elapsedSeconds: 15,
  etaSeconds: 14,
  ...over
})
const progressEvent = (over: Partial<Progress> = {}): Event => ({
  type: "progress",
  exportId: "e",
  progress: progress(over)
})
const result: Event = {
  type: "result",
  status: "completed",
  exportId: "e",
  path: "/out/a.mp4",
  bytes: 1_234_567,
  sha256: "0".repeat(64),
  duration: 61,
  frames: 1830,
  width: 1280,
  height: 720,
  seconds: 12.3
}

it("times and sizes read as people write them", () => {
  assert.deepStrictEqual([0, 7.4, 59.6, 750, 3723].map(timeInWords), ["0:00", "0:07", "1:00", "12:30", "1:02:03"])
  assert.deepStrictEqual([0, 999, 1000, 1_234_567, 56e9].map(bytesInWords), [
    "0 B",
    "999 B",
    "1.0 kB",
    "1.2 MB",
    "56 GB"
  ])
})

it("the bar says stage, percent, speed and time left", () => {
  const text = terminalRenderer(() => 100)(progressEvent(), 0)
  for (const word of ["Encoding", "52 %", "2.1×", "0:14 left", "█", "░"]) assert.include(text, word)
})

it("the bar fits any terminal, and is longer the more is done", () => {
  const full = (line: string) => [...line].filter((c) => c === "█").length
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 100, noNaN: true }), (columns, percent) => {
      const at = (p: number) => barLine({ name: "Encoding", percent: p, facts: ["2.1×", "0:14 left"] }, columns)
      assert.isBelow([...at(percent)].length, Math.max(2, columns))
      assert.isAtMost(full(at(percent)), full(at(100)))
    })
  )
})

it("on a terminal, one line lives and gives way to what is said for good", () => {
  const render = terminalRenderer(() => 80)
  const first = render(progressEvent({ percent: 1 }), 0)
  assert.isTrue(first.startsWith("\r\u001b[2K"))
  assert.strictEqual(render(progressEvent({ percent: 1 }), 1), "", "nothing new, nothing written")
  const last = render(result, 2)
  assert.isTrue(last.startsWith("\r\u001b[2K/out/a.mp4\n"))
  assert.isTrue(last.endsWith("\n"))
})

it("in a log, a stage is announced at once and then every few seconds, without control characters", () => {
  const render = plainRenderer()
  const said: Array<string> = []
  for (let t = 0; t <= 20_000; t += 100) said.push(render(progressEvent({ percent: t / 200 }), t))
  const lines = said.filter((text) => text !== "")
  assert.strictEqual(lines.length, 5)
  assert.notStrictEqual(render(progressEvent({ stage: "finishing" }), 20_050), "", "another stage does not wait")
  for (const line of lines) assert.isTrue(Array.from(line.trimEnd()).every((character) => character >= " "))
})

it("for machines, every event is one line of JSON that reads back as what it was", () => {
  const decode = Schema.decodeUnknownSync(ProgressSchema)
  fc.assert(
    fc.property(fc.constantFrom(...Stage.literals), fc.double({ min: 0, max: 100, noNaN: true }), (stage, percent) => {
      const event = progressEvent({ stage, percent })
      const text = jsonRenderer(event, 0)
      assert.strictEqual(text.indexOf("\n"), text.length - 1)
      const read = JSON.parse(text)
      assert.deepStrictEqual(decode(read.progress), progress({ stage, percent: percent === 0 ? 0 : percent }))
    })
  )
  assert.deepStrictEqual(JSON.parse(jsonRenderer(result, 0)), result)
})

it("tables line up and leave nothing at their lines' ends", () => {
  assert.strictEqual(
    table(
      ["A", "B"],
      [
        ["long", "x"],
        ["", "yy"]
      ]
    ),
    "A     B\nlong  x\n      yy"
  )
})
