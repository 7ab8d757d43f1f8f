import type { Export } from "@reelay/contracts/Export"
import type { ProjectId, VideoId } from "@reelay/contracts/Ids"
import type { Video } from "@reelay/contracts/Media"
import { batch, createSignal } from "solid-js"
import type { Client } from "../api/Client.ts"
import { failureOf } from "../api/Problem.ts"

/** How many earlier uploads are offered again. */
const OFFERED = 24

/** The videos and projects behind the exports: an export names them by id only. */
export const createSources = (client: Client) => {
  const [videos, setVideos] = createSignal<ReadonlyMap<VideoId, Video | "missing">>(new Map())
  const [projects, setProjects] = createSignal<ReadonlyMap<ProjectId, string | null>>(new Map())
  const [removing, setRemoving] = createSignal<ReadonlySet<VideoId>>(new Set())
  const [notes, setNotes] = createSignal<ReadonlyMap<VideoId, string>>(new Map())
  const asked = new Set<string>()

  /** One that is gone stays gone: an answer that still knows it was on its way before. */
  const put = (...found: ReadonlyArray<Video>) =>
    setVideos((all) => {
      const there = found.filter(({ id }) => all.get(id) !== "missing")
      return new Map([...all, ...there.map((video) => [video.id, video] as const)])
    })
  const gone = (id: VideoId) => setVideos((all) => new Map(all).set(id, "missing"))
  const load = async () => {
    const page = await client.videos(OFFERED)
    for (const video of page.items) asked.add(video.id)
    put(...page.items)
  }
  const once = async (id: string, ask: () => Promise<void>, missing: () => void) => {
    if (asked.has(id)) return
    asked.add(id)
    try {
      await ask()
    } catch (error) {
      if (failureOf(error).status === 404) missing()
      // Not an answer about the thing itself: the next picture of it asks again.
      else asked.delete(id)
    }
  }
  const needVideo = (id: VideoId) =>
    void once(
      id,
      async () => {
        put(await client.video(id))
      },
      () => gone(id)
    )
  const needProject = (id: ProjectId) =>
    void once(
      id,
      async () => {
        const { name } = await client.projectName(id)
        setProjects((all) => new Map(all).set(id, name))
      },
      () => setProjects((all) => new Map(all).set(id, null))
    )

  /** Off the list at once; a refusal brings it back, with the reason. Answers whether it is gone. */
  const remove = async (id: VideoId): Promise<boolean> => {
    if (removing().has(id)) return false
    batch(() => {
      setRemoving((all) => new Set(all).add(id))
      setNotes((all) => new Map([...all].filter(([noted]) => noted !== id)))
    })
    const failure = await client.removeVideo(id).then(() => null, failureOf)
    const isGone = failure === null || failure.status === 404
    batch(() => {
      if (isGone) gone(id)
      else setNotes((all) => new Map(all).set(id, failure.message))
      setRemoving((all) => new Set([...all].filter((other) => other !== id)))
    })
    // What lay below the offered ones moves up.
    if (isGone) void load().catch(() => {})
    return isGone
  }

  return {
    put,
    load,
    remove,
    /** Whether a deletion waits for its answer. */
    removing: () => removing().size > 0,
    /** Why a video could not be deleted. */
    note: (id: VideoId) => notes().get(id) ?? null,
    /** Recent uploads, newest first. */
    recent: () =>
      [...videos().values()]
        .flatMap((video) =>
          video === "missing" || video.status !== "ready" || removing().has(video.id) ? [] : [video]
        )
        .toSorted((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, OFFERED),
    /** Asks for what the titles of these need. */
    need: (row: Export) => {
      if (row.videoId !== null && !videos().has(row.videoId)) needVideo(row.videoId)
      if (row.projectId !== null && !projects().has(row.projectId)) needProject(row.projectId)
    },
    /** What a person calls it: its source's name, else its file's. */
    title: (row: Export): string => {
      const video = row.videoId === null ? undefined : videos().get(row.videoId)
      const named = row.projectId === null ? undefined : projects().get(row.projectId)
      const file = row.outputs[0]?.name
      if (video !== undefined && video !== "missing") return video.name
      return named ?? file ?? (video === "missing" ? "Deleted video" : row.projectId === null ? "Video" : "Project")
    },
    video: (id: VideoId | null): Video | null => {
      const video = id === null ? undefined : videos().get(id)
      return video === undefined || video === "missing" ? null : video
    }
  }
}
export type Sources = ReturnType<typeof createSources>
