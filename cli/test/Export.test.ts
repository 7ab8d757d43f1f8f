import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execa } from "execa"
import { createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, onTestFinished } from "vitest"
import { Farm, until } from "../../test/Farm.ts"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { on, reelay } from "./Cli.ts"

const TIMEOUT = 240_000

let folder = ""
let clip = ""
/** Long enough to be caught in the middle. */
let film = ""

const make = (path: string, seconds: number) =>
  execa`ffmpeg -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=${seconds} -f lavfi -i sine=duration=${seconds}
    -c:v libx264 -preset ultrafast -c:a aac ${path}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "reelay-cli-"))
  // Embedded Postgres runs as a user of its own and must be able to walk in.
  chmodSync(folder, 0o755)
  clip = join(folder, "clip.mp4")
  film = join(folder, "film.mp4")
  await Promise.all([make(clip, 1), make(film, 30)])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const Status = Schema.Struct({ status: Schema.String })
const Said = Schema.Record(Schema.String, Schema.Unknown)
const events = (stdout: string) =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Schema.decodeUnknownSync(Schema.fromJsonString(Said))(line))

const frames = async (path: string) => {
  const probed = await execa`ffprobe -v error -count_frames -select_streams v
    -show_entries stream=nb_read_frames -of csv=p=0 ${path}`
  return Number(probed.stdout)
}

const answers = (url: string) =>
  fetch(`${url}/health/live`).then(
    ({ ok }) => ok,
    () => false
  )

/** The first event of a kind, as soon as a running `export --json` says it. */
const told = (running: ReturnType<typeof reelay>, kind: string) => {
  let text = ""
  running.stdout.on("data", (chunk) => {
    text += String(chunk)
  })
  return until(`the command to say ${kind}`, async () =>
    events(text.slice(0, text.lastIndexOf("\n") + 1)).find(({ type }) => type === kind)
  )
}
const accepted = async (running: ReturnType<typeof reelay>) => String((await told(running, "accepted"))["exportId"])

describe("with a stack that runs already", () => {
  let farm: Farm
  beforeAll(async () => {
    farm = await Farm.start()
  }, TIMEOUT)
  afterAll(async () => {
    await reelay(on(farm), "stop")
    await farm.stop()
  })

  it("uses it, and tells machines all there is to know", { timeout: TIMEOUT }, async () => {
    const out = join(folder, "part.webm")
    const flags = ["--start", "0.2", "--end", "0.6", "--format", "webm", "--mode", "fast", "--json", "-o", out]
    // So small an export may be over before the first look at it: it begins when that was told.
    const letGo = await farm.hold("encoder")
    const running = reelay(on(farm), "export", clip, ...flags)
    await told(running, "progress")
    letGo()
    const done = await running
    assert.strictEqual(done.exitCode, 0, done.stderr)
    const said = events(done.stdout)
    const result = said.at(-1)
    assert.deepInclude(result, { type: "result", status: "completed", path: out, frames: 10, width: 1280, height: 720 })
    assert.strictEqual(result?.["sha256"], createHash("sha256").update(readFileSync(out)).digest("hex"))
    assert.strictEqual(await frames(out), 10)
    assert.deepStrictEqual(
      [...new Set(said.map(({ type }) => type))],
      ["stack", "upload", "accepted", "progress", "download", "result"]
    )
    assert.isTrue(await answers(farm.url), "it was not ours to stop")

    const listed = events((await reelay(on(farm), "exports", "--json")).stdout)
    assert.deepInclude(listed[0], { id: result?.["exportId"], status: "completed" })
    assert.include((await reelay(on(farm), "exports")).stdout, "clip.720p.webm")
  })

  it("what the api refuses is one line, and nothing is half-made", { timeout: TIMEOUT }, async () => {
    const text = join(folder, "text.mp4")
    writeFileSync(text, "this is no video")
    const refused = await reelay(on(farm), "export", text)
    assert.strictEqual(refused.exitCode, 1)
    assert.match(refused.stderr, /^reelay: .+$/)
    assert.isFalse(existsSync(`${text}.720p.mp4`))
    const pastTheEnd = await reelay(on(farm), "export", clip, "--end", "99", "--json", "-o", join(folder, "no.mp4"))
    assert.strictEqual(pastTheEnd.exitCode, 1)
    assert.deepInclude(events(pastTheEnd.stdout).at(-1), { type: "error", code: "invalid_segment" })
    assert.deepStrictEqual(
      readdirSync(folder).filter((name) => name.endsWith(".part") || name === "no.mp4"),
      []
    )
  })

  it("cancels, retries and deletes, and answers for each id by itself", { timeout: TIMEOUT }, async () => {
    const queue = (paused: boolean) => farm.call("PUT", "/api/queue", { paused })
    await queue(true)
    onTestFinished(async () => void (await queue(false)))
    const video = await farm.upload(clip, "two\nlines.mp4")
    const first = await farm.create({ videoId: video.id })
    const second = await farm.create({ videoId: video.id })
    const unknown = "0198c9a0-0000-7000-8000-000000000001"
    const listed = await reelay(on(farm), "videos")
    assert.match(listed.stdout, new RegExp(`0:01 +[0-9.]+ kB +two lines.mp4 +${video.id}$`, "m"))

    const some = await reelay(on(farm), "cancel", unknown, first.id)
    const said = {
      exitCode: 1,
      stdout: `${first.id}  cancelled`,
      stderr: `reelay: ${unknown}: There is no such export.`
    }
    assert.deepInclude(some, said)
    const again = await reelay(on(farm), "retry", second.id, first.id, first.id, "--json")
    assert.strictEqual(again.exitCode, 1)
    assert.deepStrictEqual(events(again.stdout), [
      { type: "error", id: second.id, code: "conflict", message: "The export is pending." },
      { type: "done", id: first.id, status: "pending" }
    ])

    // One that is malformed is a mistake in the line, of which nothing is done then.
    const malformed = await reelay(on(farm), "delete", second.id, "abc")
    assert.strictEqual(malformed.exitCode, 2)
    assert.include(malformed.stderr, '"abc"')
    const needed = await reelay(on(farm), "delete", video.id, second.id, unknown)
    assert.deepInclude(needed, { exitCode: 1, stdout: `${second.id}  cancelled and deleted` })
    assert.deepStrictEqual(needed.stderr.split("\n"), [
      `reelay: ${video.id}: An export that is not over needs this video.`,
      `reelay: ${unknown}: There is no export and no video with this id.`
    ])
    const all = await reelay(on(farm), "delete", first.id, video.id, "--json")
    assert.strictEqual(all.exitCode, 0, all.stderr)
    const deleted = [first.id, video.id].map((id) => ({ type: "done", id, status: "deleted" }))
    assert.deepStrictEqual(events(all.stdout), deleted)
    for (const path of [`exports/${first.id}`, `exports/${second.id}`, `videos/${video.id}`]) {
      assert.strictEqual((await farm.call("GET", `/api/${path}`)).status, 404)
    }
  })

  it("lists the latest, and all of them when asked to", { timeout: TIMEOUT }, async () => {
    const queue = (paused: boolean) => farm.call("PUT", "/api/queue", { paused })
    await queue(true)
    const video = await farm.upload(clip)
    // More than the api gives at once.
    const made = await Promise.all(Array.from({ length: 201 }, () => farm.create({ videoId: video.id })))
    onTestFinished(async () => {
      await Promise.all(made.map(({ id }) => farm.call("POST", `/api/exports/${id}/cancel`)))
      await queue(false)
    })
    const latest = (await reelay(on(farm), "exports")).stdout.split("\n")
    assert.strictEqual(latest.length, 1 + 20 + 1)
    assert.match(latest.at(-1) ?? "", /^… and 18\d older ones \(--all shows them\)$/)
    const all = events((await reelay(on(farm), "exports", "--all", "--json")).stdout).map(({ id }) => String(id))
    assert.includeMembers(
      all,
      made.map(({ id }) => String(id))
    )
    assert.strictEqual(new Set(all).size, all.length)
  })

  it("drains a node and resumes it", { timeout: TIMEOUT }, async () => {
    const [node] = events((await reelay(on(farm), "nodes", "--json")).stdout)
    const id = String(node?.["id"])
    assert.include((await reelay(on(farm), "nodes")).stdout, "software (h264")
    assert.include((await reelay(on(farm), "drain", id)).stdout, "draining")
    assert.include((await reelay(on(farm), "drain", id, "--resume")).stdout, "active")
    const unknown = await reelay(on(farm), "drain", "nobody")
    assert.strictEqual(unknown.exitCode, 1)
    assert.match(unknown.stderr, /^reelay: .+$/)
  })

  it("goes on through the death of what it talks to, and of the supervisor", { timeout: TIMEOUT }, async () => {
    const out = join(folder, "survivor.mp4")
    const running = reelay(on(farm), "export", film, "--mode", "fast", "--json", "-o", out)
    await farm.encoding(await accepted(running))
    await farm.restarted("api", await farm.kill("api"))
    farm.killSupervisor()
    // Without it the others live on, but nobody starts the api again: it is the command that must.
    await farm.kill("api")
    const done = await running
    assert.strictEqual(done.exitCode, 0, done.stderr)
    assert.strictEqual(await frames(out), 750)
    assert.strictEqual(events(done.stdout).filter(({ type }) => type === "accepted").length, 1, "the same export")
  })
})

describe("with nothing running", () => {
  let place: { readonly data: string; readonly port: number }
  const urlOf = () => `http://127.0.0.1:${place.port}`
  beforeAll(async () => {
    place = { data: join(folder, "data"), port: await freePort() }
    mkdirSync(place.data, { mode: 0o755 })
  })
  afterAll(() => reelay(place, "stop"))

  it("a file that is not there, or empty, is an answer before anything is started", { timeout: TIMEOUT }, async () => {
    const empty = join(folder, "empty.mp4")
    writeFileSync(empty, "")
    const wrong = [
      [join(folder, "none.mp4")],
      [empty],
      [folder],
      [clip, "-o", clip],
      [clip, "-o", join(folder, "nowhere", "out.mp4")],
      [clip, "--start", "2", "--end", "1"]
    ]
    const refused = await Promise.all(wrong.map((args) => reelay(place, "export", ...args)))
    for (const { exitCode, stderr } of refused) {
      assert.strictEqual(exitCode, 1)
      assert.match(stderr, /^reelay: .+$/)
    }
    assert.deepStrictEqual(readdirSync(place.data), [])
  })

  it("there is nothing to act on; a command that is none has no help", { timeout: TIMEOUT }, async () => {
    const id = "0198c9a0-0000-7000-8000-000000000001"
    const away = await reelay(place, "cancel", id, id, "--json")
    assert.strictEqual(away.exitCode, 1)
    assert.include(away.stderr, `REELAY_DATA='${place.data}' npm start`)
    assert.deepInclude(events(away.stdout), { type: "error", code: "not_running", message: away.stderr.slice(8) })
    const nonsense = await reelay(place, "nonsense", "--help")
    assert.deepInclude(nonsense, { exitCode: 2, stdout: "" })
    assert.include(nonsense.stderr, '"nonsense"')
    assert.include((await reelay(place, "cancel", "--help")).stdout, "reelay cancel [flags] <id...>")
  })

  it("starts a stack for itself, writes the file beside the source, and stops it", { timeout: TIMEOUT }, async () => {
    const done = await reelay(place, "export", clip, "--mode", "fast")
    assert.strictEqual(done.exitCode, 0, done.stderr)
    const written = `${clip}.720p.mp4`
    assert.include(done.stdout, written)
    assert.strictEqual(await frames(written), 25)
    assert.isFalse(await answers(urlOf()))
    assert.isFalse(existsSync(join(place.data, "processes.json")))
  })

  it("Ctrl-C leaves the export running and says how to watch and how to stop it", { timeout: TIMEOUT }, async () => {
    const running = reelay(place, "export", film, "--mode", "fast", "--json")
    const id = await accepted(running)
    running.kill("SIGINT")
    const ended = await running
    assert.strictEqual(ended.exitCode, 130)
    const last = events(ended.stdout).at(-1)
    assert.deepInclude(last, { type: "detached", exportId: id, url: urlOf() })
    assert.include(String(last?.["message"]), `REELAY_DATA='${place.data}' npm stop`)
    await until(
      "the export to complete without us",
      async () => {
        const found: unknown = await (await fetch(`${urlOf()}/api/exports/${id}`)).json()
        return Schema.decodeUnknownSync(Status)(found).status === "completed" || undefined
      },
      120
    )
    assert.isFalse(existsSync(`${film}.720p.mp4`))
    assert.strictEqual((await reelay(place, "stop")).exitCode, 0)
    assert.isFalse(await answers(urlOf()))
  })
})
