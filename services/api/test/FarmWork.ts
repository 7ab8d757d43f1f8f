import type { Export } from "@reelay/contracts/Export"
import { Digest, NodeId, VideoId } from "@reelay/contracts/Ids"
import { exportFile } from "@reelay/contracts/ObjectKeys"
import { Build } from "@reelay/contracts/Plan"
import { plan, spec } from "@reelay/platform/testing/Fixtures"
import { attempts, exports_ } from "@reelay/platform/Tables"
import type { Advertisement } from "@reelay/contracts/Node"
import { eq } from "drizzle-orm"
import { DateTime } from "effect"
import { randomUUID } from "node:crypto"
import { createHash } from "node:crypto"
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { ApiUnderTest } from "./ApiUnderTest.ts"

/** What scheduler and encoders do to an export's row and files, done by hand. */
export const process = async (api: ApiUnderTest, made: Export): Promise<void> => {
  const of = plan(made.id, spec(made.userId, made.videoId ?? VideoId.make(randomUUID())))
  await api.run(
    api.database.query("test.process", (db) =>
      db
        .update(exports_)
        .set({ status: "processing", epoch: made.epoch + 1, plan: of, encoder: "software" })
        .where(eq(exports_.id, made.id))
    )
  )
}

/** Completed, with `media` as its file and a poster beside it. */
export const complete = async (api: ApiUnderTest, made: Export, media: string): Promise<void> => {
  await process(api, made)
  const bytes = await readFile(media)
  const name = `${made.id}.mp4`
  const object = exportFile(made.userId, made.id, made.epoch + 1, name)
  const poster = exportFile(made.userId, made.id, made.epoch + 1, "poster.jpg")
  const target = join(api.infra.store, object)
  await mkdir(dirname(target), { recursive: true })
  await copyFile(media, target)
  await writeFile(join(api.infra.store, poster), "a poster")
  const output = {
    name,
    contentType: "video/mp4",
    bytes: bytes.length,
    duration: made.duration,
    frames: made.frames,
    width: 320,
    height: 180,
    sha256: Digest.make(createHash("sha256").update(bytes).digest("hex"))
  }
  await api.run(
    api.database.query("test.complete", (db) =>
      db
        .update(exports_)
        .set({ status: "completed", outputs: [{ output, object, poster }] })
        .where(eq(exports_.id, made.id))
    )
  )
}

const error = {
  type: "urn:reelay:problem:render_error",
  title: "It could not be rendered",
  status: 500,
  detail: "ffmpeg gave up.",
  code: "render_error"
} as const

/** Failed, after one attempt. */
export const fail = async (api: ApiUnderTest, made: Export): Promise<void> => {
  await process(api, made)
  await api.run(
    api.database.query("test.fail", async (db) => {
      await db.insert(attempts).values({
        id: randomUUID(),
        exportId: made.id,
        userId: made.userId,
        epoch: made.epoch + 1,
        task: "a".repeat(64),
        kind: "internal",
        nodeId: "n1",
        family: "software",
        error,
        log: "line of /a/path",
        seconds: 1.5
      })
      await db.update(exports_).set({ status: "failed", error }).where(eq(exports_.id, made.id))
    })
  )
}

/** A node with a free slot. */
export const advertisement = (id: string, part: Partial<Advertisement> = {}): Advertisement => ({
  v: 1,
  id: NodeId.make(id),
  host: "here",
  version: "0.1.0",
  build: Build.make("0123456789ab"),
  status: "active",
  families: [{ name: "software", codecs: ["h264"], device: null, state: "ok", reason: null }],
  pools: [],
  slots: { total: 2, busy: 0 },
  lightSlots: { total: 1, busy: 0 },
  tasks: [],
  labels: [],
  startedAt: DateTime.makeUnsafe("2026-11-20T00:00:00Z"),
  ...part
})
